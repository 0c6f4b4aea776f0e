/** Three significant digits, never with an exponent: 0.0123, 4.50, 1230. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return '0';
  const decimals = 2 - Math.floor(Math.log10(Math.abs(Number(value.toPrecision(3)))));
  return decimals >= 0 ? value.toFixed(Math.min(decimals, 9)) : String(Number(value.toPrecision(3)));
}

export const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

export const times = (ratio: number): string => `${digits(ratio)}×`;

export const spread = ({ p25, p75 }: { readonly p25: number; readonly p75: number }): string =>
  `${digits(p25)}–${digits(p75)}`;

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Rows as text in columns: the first `left` of them flush left, the others, which hold numbers, flush right. */
export function columns(header: readonly string[], rows: readonly (readonly string[])[], left: number): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
