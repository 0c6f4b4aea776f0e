import { type Bounded, zeros } from './bounded.js';
import { element, minus, option, over, plus, product, put, type Scalar, scalar } from './scalar.js';

/**
 * average + factor·(values − average), or the values where the average begins.
 * @param average that before; undefined where it begins
 * @param rows if given, the values are losses of that many rows, and are multiplied by count/rows
 */
export function runningAverage(
  values: Bounded,
  average: Bounded | undefined,
  factor: number | Scalar,
  rows?: number,
): Bounded {
  const result = zeros(values.shape);
  const count = values.values.length;
  const share = typeof factor === 'number' ? option(factor) : factor;
  const scale = rows === undefined ? scalar(1) : over(scalar(count), rows);
  for (let i = 0; i < count; i++) {
    const value = rows === undefined ? element(values, i) : product(element(values, i), scale);
    const before = average && element(average, i);
    put(result, i, before === undefined ? value : plus(before, product(share, minus(value, before))));
  }
  return result;
}
