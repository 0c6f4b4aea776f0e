/** Digits of MNIST, from its four original IDX files under `mnist/` beside the page. */
export interface Digits {
  /** 28 × 28 bytes for each digit: 0 is paper, 255 is ink. */
  readonly images: Uint8Array<ArrayBuffer>;
  readonly classes: Uint8Array<ArrayBuffer>;
  readonly count: number;
}

export interface Mnist {
  readonly train: Digits;
  readonly test: Digits;
}

export const SIDE = 28;
export const PIXELS: number = SIDE * SIDE;

export const TRAINING_DIGITS = 60_000;
const TEST_DIGITS = 10_000;
const TOTAL_BYTES = (TRAINING_DIGITS + TEST_DIGITS) * (PIXELS + 1);

/** Loads MNIST. @param onProgress called with the share that has arrived, from 0 to 1 */
export async function loadMnist(limit: number, onProgress: (fraction: number) => void): Promise<Mnist> {
  let received = 0;
  const arrived = (bytes: number): void => {
    received += bytes;
    onProgress(Math.min(1, received / TOTAL_BYTES));
  };
  const load = async (name: string, total: number): Promise<Digits> => {
    const [images, classes] = await Promise.all([
      fetchIdx(`${name}-images-idx3-ubyte`, [total, SIDE, SIDE], arrived),
      fetchIdx(`${name}-labels-idx1-ubyte`, [total], arrived),
    ]);
    const count = Math.min(total, limit);
    return { images: images.subarray(0, count * PIXELS), classes: classes.subarray(0, count), count };
  };
  const [train, test] = await Promise.all([load('train', TRAINING_DIGITS), load('t10k', TEST_DIGITS)]);
  return { train, test };
}

/** Fetches the elements of an IDX file of unsigned bytes, and checks its shape. */
async function fetchIdx(
  file: string,
  shape: readonly number[],
  arrived: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(new URL(`mnist/${file}`, document.baseURI));
  if (!response.ok || response.body === null) throw new Error(`${file}: the server answered ${response.status}.`);
  const header = [0x800 + shape.length, ...shape];
  const start = 4 * header.length;
  const bytes = new Uint8Array(start + shape.reduce((product, size) => product * size));
  let end = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    // Copied as they arrive: copying everything at the end would block the page.
    if (end + part.value.byteLength > bytes.byteLength)
      throw new Error(`${file} is longer than ${bytes.byteLength} bytes.`);
    bytes.set(part.value, end);
    end += part.value.byteLength;
    arrived(part.value.byteLength);
  }
  if (end < bytes.byteLength) throw new Error(`${file} has ${end} bytes; it should have ${bytes.byteLength}.`);
  const view = new DataView(bytes.buffer);
  if (header.some((word, i) => view.getUint32(4 * i) !== word))
    throw new Error(`${file} is not the IDX file it should be.`);
  return bytes.subarray(start);
}
