import { PIXELS } from './data.ts';
import { paintDigit } from './digit-image.ts';
import { prepareDigit } from './digit-prep.ts';
import { byId, context2d, create } from './element.ts';

const SIZE = 280;
/** Width of a stroke. MNIST's strokes are about an eighth of a digit's height. */
const STROKE = 22;
const KEY_STEP = 10;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A canvas on which the user draws a digit with pen, finger, mouse or keys. */
export class DrawPad {
  /** Called with the digit in MNIST's format, or null if the pad is empty. */
  onChange: (digit: Uint8Array<ArrayBuffer> | null) => void = () => {};

  readonly #pad = byId('pad', HTMLDivElement);
  readonly #ink = context2d(byId('pad-ink', HTMLCanvasElement), { willReadFrequently: true });
  readonly #cursor = create('div', { className: 'pad-cursor' });
  readonly #seen = byId('pad-seen', HTMLCanvasElement);
  #at: Point = { x: SIZE / 2, y: SIZE / 2 };
  #pointer: number | null = null;
  #spaceHeld = false;
  #scheduled = false;
  #untouched = false;

  constructor() {
    this.#pad.append(this.#cursor);
    this.#moveCursor(this.#at);
    const pad = this.#pad;
    pad.tabIndex = 0;
    pad.addEventListener('pointerdown', (event) => this.#press(event));
    pad.addEventListener('pointermove', (event) => this.#drag(event));
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) {
      pad.addEventListener(end, (event) => {
        if (event.pointerId === this.#pointer) this.#pointer = null;
      });
    }
    pad.addEventListener('keydown', (event) => this.#key(event));
    pad.addEventListener('keyup', (event) => {
      if (event.key === ' ') this.#spaceHeld = false;
    });
    pad.addEventListener('blur', () => {
      this.#spaceHeld = false;
    });
    byId('pad-clear', HTMLButtonElement).addEventListener('click', () => this.clear());
  }

  clear(): void {
    this.#erase();
    this.#changed();
  }

  /** Shows one of MNIST's digits on the pad; the network gets its bytes unchanged. */
  place(digit: Uint8Array<ArrayBuffer>): void {
    this.#erase();
    const small = document.createElement('canvas');
    paintDigit(small, digit);
    this.#ink.imageSmoothingEnabled = false;
    this.#ink.drawImage(small, 0, 0, SIZE, SIZE);
    this.#untouched = true;
    this.#show(digit);
  }

  #erase(): void {
    this.#ink.clearRect(0, 0, SIZE, SIZE);
    this.#untouched = false;
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0 || this.#pointer !== null) return;
    this.#pointer = event.pointerId;
    this.#pad.setPointerCapture(event.pointerId);
    if (this.#untouched) this.#erase();
    const at = this.#place(event);
    this.#stroke(at, at);
    this.#moveCursor(at);
  }

  #drag(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const move of moves.length > 0 ? moves : [event]) {
      const to = this.#place(move);
      this.#stroke(this.#at, to);
      this.#moveCursor(to);
    }
  }

  #key(event: KeyboardEvent): void {
    const arrow = ARROWS[event.key];
    if (arrow !== undefined) {
      const limit = (value: number): number => Math.min(SIZE - KEY_STEP, Math.max(KEY_STEP, value));
      const to = { x: limit(this.#at.x + KEY_STEP * arrow[0]), y: limit(this.#at.y + KEY_STEP * arrow[1]) };
      if (event.shiftKey || this.#spaceHeld) this.#stroke(this.#at, to);
      this.#moveCursor(to);
    } else if (event.key === ' ') {
      this.#spaceHeld = true;
      this.#stroke(this.#at, this.#at);
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
  }

  #place(event: PointerEvent): Point {
    const bounds = this.#pad.getBoundingClientRect();
    const scale = SIZE / bounds.width;
    return { x: (event.clientX - bounds.left) * scale, y: (event.clientY - bounds.top) * scale };
  }

  #moveCursor(to: Point): void {
    this.#at = to;
    this.#cursor.style.left = `${(100 * to.x) / SIZE}%`;
    this.#cursor.style.top = `${(100 * to.y) / SIZE}%`;
  }

  #stroke(from: Point, to: Point): void {
    const ink = this.#ink;
    ink.lineCap = 'round';
    ink.lineWidth = STROKE;
    ink.beginPath();
    ink.moveTo(from.x, from.y);
    // Slightly longer than 0, because a line of length 0 draws nothing.
    ink.lineTo(to.x + 0.01, to.y);
    ink.stroke();
    this.#untouched = false;
    this.#changed();
  }

  /** Reports a change at most once in each frame. */
  #changed(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      const { data } = this.#ink.getImageData(0, 0, SIZE, SIZE);
      const ink = new Uint8Array(SIZE * SIZE);
      for (let i = 0; i < ink.length; i++) ink[i] = data[4 * i + 3] ?? 0;
      this.#show(prepareDigit(ink, SIZE, SIZE));
    });
  }

  #show(digit: Uint8Array<ArrayBuffer> | null): void {
    paintDigit(this.#seen, digit ?? new Uint8Array(PIXELS));
    this.onChange(digit);
  }
}
