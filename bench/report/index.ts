import type { Report, Result } from '../case.js';
import { textTable } from './table.js';

export { textTable } from './table.js';

/** Shows a report in a page. */
export function showReport(parent: HTMLElement, report: Report): void {
  const text = document.createElement('pre');
  text.textContent = textTable(report);
  parent.append(text);
}

/** A page of its own. */
export function htmlReport(report: Report): string {
  const text = textTable(report).replace(/[&<]/g, (sign) => (sign === '&' ? '&amp;' : '&lt;'));
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>webgpu-mlp bench</title><pre>${text}</pre></html>\n`;
}

/** What has become faster and what slower, a line for each result that both reports have. */
export function compareReports(before: Report, now: Report): string {
  const key = ({ case: name, contender }: Result): string => `${name}: ${contender}`;
  const old = new Map(before.results.map((result) => [key(result), result.median]));
  return now.results
    .flatMap((result) => {
      const median = old.get(key(result));
      if (median === undefined || median === 0 || result.median === 0) return [];
      return [`${(median / result.median).toFixed(2)} × as fast  ${key(result)}`];
    })
    .join('\n');
}
