import { expect, test } from 'vitest';
import { columns, digits, percent, plural, spread, times } from '../../../bench/report/format.js';

test.each([
  [0, '0'],
  [0.000123456, '0.000123'],
  [0.0099951, '0.0100'],
  [0.51234, '0.512'],
  [4.5, '4.50'],
  [9.999, '10.0'],
  [71.25, '71.3'],
  [999.6, '1000'],
  [1234.5, '1230'],
  [-2.3456, '-2.35'],
  [Number.NaN, 'NaN'],
])('%d has three significant digits: %s', (value, written) => {
  expect(digits(value)).toBe(written);
});

test('shares, ratios, quartiles and counts', () => {
  expect(percent(0.184)).toBe('18 %');
  expect(times(3.5)).toBe('3.50×');
  expect(spread({ p25: 29.4, p75: 30.61 })).toBe('29.4–30.6');
  expect([plural(1, 'sample'), plural(11, 'sample')]).toEqual(['1 sample', '11 samples']);
});

test('columns of text are flush left, of numbers flush right, with no space at the end', () => {
  const rows = [
    ['a', 'longer', '1', ''],
    ['ab', 'b', '100', 'x'],
  ];
  expect(columns(['', 'name', 'n', ''], rows, 2)).toBe(
    ['    name      n', '──  ──────  ───  ─', 'a   longer    1', 'ab  b       100  x'].join('\n'),
  );
});
