/**
 * Divides rows into two parts and keeps their order. The first part gets `wanted` rows: of each group its fraction,
 * rounded by the largest remainder method.
 * @param groupOf returns the group of a row
 */
export function divide(
  rows: Uint32Array,
  groupOf: (row: number) => number,
  fraction: number,
  wanted: number,
): [Uint32Array<ArrayBuffer>, Uint32Array<ArrayBuffer>] {
  const counts = new Map<number, number>();
  for (const row of rows) counts.set(groupOf(row), (counts.get(groupOf(row)) ?? 0) + 1);
  const shares = [...counts].map(([group, count]) => ({
    group,
    share: fraction * count,
    whole: Math.floor(fraction * count),
  }));
  const missing = shares.reduce((left, { whole }) => left - whole, wanted);
  shares.sort((a, b) => b.share - b.whole - (a.share - a.whole) || a.group - b.group);
  const quotas = new Map(shares.map(({ group, whole }, place) => [group, whole + (place < missing ? 1 : 0)]));
  const parts: [number[], number[]] = [[], []];
  for (const row of rows) {
    const quota = quotas.get(groupOf(row)) ?? 0;
    parts[quota > 0 ? 0 : 1].push(row);
    quotas.set(groupOf(row), quota - 1);
  }
  return [Uint32Array.from(parts[0]), Uint32Array.from(parts[1])];
}
