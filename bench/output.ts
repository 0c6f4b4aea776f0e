import { writeFileSync } from 'node:fs';
import type { Report } from './case.js';
import type { BenchOptions } from './options.mjs';
import { htmlReport } from './report/html.js';
import { compareReports, textTable } from './report/index.js';

/** Prints a report and writes the files that were asked for. */
export function output(report: Report, { json, html, earlier }: BenchOptions): void {
  console.log(textTable(report));
  if (earlier !== undefined) console.log(compareReports(earlier, report));
  if (json !== undefined) {
    writeFileSync(json, `${JSON.stringify(report, null, 1)}\n`);
    console.error(`Wrote ${json}.`);
  }
  if (html !== undefined) {
    writeFileSync(html, htmlReport(report));
    console.error(`Wrote ${html}.`);
  }
}
