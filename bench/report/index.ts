// The parts of reports that work in pages and in Node; html.ts is for Node only.
import type { Report } from '../case.js';
import { plots, STYLE } from './plots.js';
import { textTable } from './table.js';

export { compareReports } from './compare.js';
export { readReport } from './read.mjs';
export { textTable } from './table.js';

/** Shows a report in a page as plots, followed by text for copying. */
export function showReport(parent: HTMLElement, report: Report): void {
  const style = document.createElement('style');
  style.textContent = STYLE;
  const text = document.createElement('pre');
  text.tabIndex = 0; // focusable, because it scrolls sideways
  text.textContent = textTable(report);
  parent.append(style, plots(report, document), text);
}
