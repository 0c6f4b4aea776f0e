import { PIXELS, SIDE } from './data.ts';

/**
 * Prepares a drawing in the same way as the digits of MNIST: its ink is scaled into a 20 × 20 box, keeping its aspect and
 * averaging over areas, and the box is moved by whole pixels until the centre of mass lies on the centre of 28 × 28.
 * Source: LeCun, Cortes, Burges, "The MNIST database". Of the 10,000 test digits 9,997 measure 20 on their longer
 * side, and the centre of mass of every one rounds to pixel 14, 14.
 *
 * @param ink width × height values, 0 paper to 255 ink, row by row
 * @returns 28 × 28 such values, or null if there is no ink
 */
export function prepareDigit(ink: ArrayLike<number>, width: number, height: number): Uint8Array<ArrayBuffer> | null {
  const box = boundingBox(ink, width, height);
  if (box === null) return null;
  const scale = BOX / Math.max(box.width, box.height);
  const small = averageAreas(ink, width, box, scale);
  const { columns, rows } = small;
  const mass = centreOfMass(small);
  // Kept inside the image, as all digits of MNIST are.
  const left = clamp(Math.round(CENTRE - mass.x), 0, SIDE - columns);
  const top = clamp(Math.round(CENTRE - mass.y), 0, SIDE - rows);
  const digit = new Uint8Array(PIXELS);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      digit[(top + y) * SIDE + left + x] = Math.round(small.values[y * columns + x] ?? 0);
    }
  }
  return digit;
}

const BOX = 20;
const CENTRE = 14;

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Small {
  readonly columns: number;
  readonly rows: number;
  readonly values: Float64Array;
}

function boundingBox(ink: ArrayLike<number>, width: number, height: number): Box | null {
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((ink[y * width + x] ?? 0) === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Scales ink: each small pixel is the mean of the area that it covers. A thin digit is centred in its columns or rows. */
function averageAreas(ink: ArrayLike<number>, stride: number, box: Box, scale: number): Small {
  const columns = Math.max(1, Math.ceil(box.width * scale - 1e-9));
  const rows = Math.max(1, Math.ceil(box.height * scale - 1e-9));
  const insetX = (columns - box.width * scale) / 2;
  const insetY = (rows - box.height * scale) / 2;
  const values = new Float64Array(columns * rows);
  const area = 1 / (scale * scale);
  for (let y = 0; y < rows; y++) {
    const fromY = Math.max(0, (y - insetY) / scale);
    const toY = Math.min(box.height, (y + 1 - insetY) / scale);
    for (let x = 0; x < columns; x++) {
      const fromX = Math.max(0, (x - insetX) / scale);
      const toX = Math.min(box.width, (x + 1 - insetX) / scale);
      let sum = 0;
      for (let row = Math.floor(fromY); row < toY; row++) {
        const tall = Math.min(row + 1, toY) - Math.max(row, fromY);
        for (let column = Math.floor(fromX); column < toX; column++) {
          const wide = Math.min(column + 1, toX) - Math.max(column, fromX);
          sum += tall * wide * (ink[(box.top + row) * stride + box.left + column] ?? 0);
        }
      }
      values[y * columns + x] = sum / area;
    }
  }
  return { columns, rows, values };
}

function centreOfMass({ columns, rows, values }: Small): { x: number; y: number } {
  let [mass, x, y] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column] ?? 0;
      mass += value;
      x += value * column;
      y += value * row;
    }
  }
  return { x: x / mass, y: y / mass };
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
