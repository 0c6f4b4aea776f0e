import { PIXELS, SIDE } from './data.ts';
import { context2d } from './element.ts';

/** Paints 28 × 28 bytes as opaque black of varying strength; the style sheet inverts it on dark paper. */
export function paintDigit(canvas: HTMLCanvasElement, digit: Uint8Array): void {
  const image = new ImageData(SIDE, SIDE);
  for (let i = 0; i < PIXELS; i++) image.data[4 * i + 3] = digit[i] ?? 0;
  canvas.width = SIDE;
  canvas.height = SIDE;
  context2d(canvas).putImageData(image, 0, 0);
}
