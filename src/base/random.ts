/**
 * Seeded random number generator that gives the same sequence on every machine: sfc32 (Chris Doty-Humphrey's
 * PractRand). It uses 32-bit integers, and only the floating-point operations whose rounding is defined by
 * IEEE 754: + − × ÷ √.
 */
export class Random {
  // The state is four words, kept as signed 32-bit integers, which JavaScript engines hold in registers.
  #a: number;
  #b: number;
  #c: number;
  #counter: number = 1;

  /**
   * @param seed any integer
   * @param stream any integer; different streams give independent sequences of the same seed
   */
  constructor(seed: number, stream = 0) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = stream | 0;
    // The first outputs still resemble the seed, so they are discarded.
    for (let i = 0; i < 20; i++) this.bits();
  }

  /** Returns 32 random bits, as an integer in [0, 2³²). */
  bits(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    this.#counter = (this.#counter + 1) | 0;
    return result >>> 0;
  }

  /** Returns a number from the uniform distribution on [low, high), in steps of 2⁻⁵³ of the width. */
  uniform(low = 0, high = 1): number {
    const unit = ((this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)) / 2 ** 53;
    return low + (high - low) * unit;
  }

  /** Returns a number from the normal distribution with mean 0 and variance 1, by Marsaglia's polar method. */
  normal(): number {
    for (;;) {
      const x = this.uniform(-1, 1);
      const y = this.uniform(-1, 1);
      const s = x * x + y * y;
      if (s > 0 && s < 1) return x * Math.sqrt((-2 * naturalLogarithm(s)) / s);
    }
  }

  /** Returns an integer in [0, count); all are equally likely. */
  integer(count: number): number {
    const limit = 2 ** 32 - (2 ** 32 % count);
    for (;;) {
      const bits = this.bits();
      if (bits < limit) return bits % count;
    }
  }

  /** Returns the given rows, or 0 … count − 1, in a random order (Fisher–Yates shuffle). */
  shuffled(rows: number | Uint32Array): Uint32Array<ArrayBuffer> {
    const order = typeof rows === 'number' ? counting(rows) : Uint32Array.from(rows);
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = order[i] ?? 0;
      order[i] = order[j] ?? 0;
      order[j] = held;
    }
    return order;
  }
}

/** Returns 0, 1, …, count − 1. */
export function counting(count: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, row) => row);
}

/**
 * Natural logarithm of x in (0, 1], from + − × ÷ alone: JavaScript engines differ in the last bits of Math.log, but
 * initial weights must be the same on all of them. x = m·2^e with m in [√½, √2), and ln m = 2·artanh((m − 1)/(m + 1)).
 */
function naturalLogarithm(x: number): number {
  let m = x;
  let exponent = 0;
  while (m < Math.SQRT1_2) {
    m *= 2;
    exponent -= 1;
  }
  const s = (m - 1) / (m + 1);
  let sum = 0;
  for (let n = 25; n >= 1; n -= 2) sum = sum * s * s + 1 / n;
  return 2 * s * sum + exponent * Math.LN2;
}
