import { expect, test } from 'vitest';
import { toIdx, wholeSamples } from '../../examples/page/fashion-mnist-files.js';
import { readIdx } from '../../src/data/idx.js';

const row = (pixel: number): number[] => Array.from({ length: 784 }, () => pixel);

test('rows that are not 784 bytes are left out, and counted', () => {
  const short = row(1).slice(1);
  const { images, classes, dropped } = wholeSamples([
    [row(7), [], short],
    [row(256), row(-1), row(0.5)],
    [row(255), row(0)],
  ]);
  expect(dropped).toBe(5);
  expect([...classes]).toEqual([0, 2, 2]);
  expect([images.length, images[0], images[784], images[2 * 784]]).toEqual([3 * 784, 7, 255, 0]);
});

test('what is written is the IDX file that the library reads', async () => {
  const images = Uint8Array.from({ length: 2 * 3 * 4 }, (_, i) => i);
  const { shape, data } = await readIdx(toIdx([2, 3, 4], images), { name: 'images' });
  expect(shape).toEqual([2, 3, 4]);
  expect(data).toEqual(images);
});
