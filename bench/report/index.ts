// What works in a page and in Node alike; html.ts is for Node.
import type { Report } from '../case.js';
import { plots, STYLE } from './plots.js';
import { textTable } from './table.js';

export { compareReports } from './compare.js';
export { readReport } from './read.mjs';
export { textTable } from './table.js';

/** Shows a report in a page, and in the end as text to be copied. */
export function showReport(parent: HTMLElement, report: Report): void {
  const style = document.createElement('style');
  style.textContent = STYLE;
  const text = document.createElement('pre');
  text.tabIndex = 0; // it scrolls sideways
  text.textContent = textTable(report);
  parent.append(style, plots(report, document), text);
}
