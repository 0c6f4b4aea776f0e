// Numbers as the page shows them, in English.
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const percentage = new Intl.NumberFormat('en', {
  style: 'percent',
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});
const rough = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 0 });

export const integer = (value: number): string => whole.format(value);
/** 0.97531 → "97.53%" */
export const percent = (fraction: number): string => percentage.format(fraction);
/** 0.97531 → "98%" */
export const roughPercent = (fraction: number): string => rough.format(fraction);
/** Three significant digits: 2.31, 0.0712. */
export const loss = (value: number): string => (Number.isFinite(value) ? value.toPrecision(3) : String(value));
/** 83 → "1 min 23 s" */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
