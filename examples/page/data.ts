import { Dataset, type Gpu } from 'webgpu-mlp';

/** The data sets of an example. data-plugin.ts serves their files. */
export interface TrainAndTest {
  readonly train: Dataset;
  readonly test: Dataset;
}

async function fetchBytes(path: string): Promise<ArrayBuffer> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: the server answered ${response.status}.`);
  return await response.arrayBuffer();
}

async function fetchIdx(gpu: Gpu, images: string, labels: string): Promise<Dataset> {
  return await Dataset.fromIdx(gpu, ...(await Promise.all([fetchBytes(images), fetchBytes(labels)])));
}

/** The 60,000 training digits of MNIST and its 10,000 test digits. */
export async function loadMnist(gpu: Gpu): Promise<TrainAndTest> {
  const [train, test] = await Promise.all(
    ['train', 't10k'].map((name) =>
      fetchIdx(gpu, `/mnist/${name}-images-idx3-ubyte`, `/mnist/${name}-labels-idx1-ubyte`),
    ),
  );
  if (train === undefined || test === undefined) throw new Error('There are two parts.');
  return { train, test };
}

/** Fashion-MNIST, split by seed and not officially: six sevenths of each class for training, one seventh for testing. */
export async function loadFashionMnist(gpu: Gpu): Promise<TrainAndTest> {
  using all = await fetchIdx(gpu, '/fashion-mnist/images-idx3-ubyte', '/fashion-mnist/labels-idx1-ubyte');
  const [train, test] = all.split(6 / 7, { seed: 1, stratify: true });
  return { train, test };
}
