import type { Report } from '../case.js';
import { columns } from './format.js';
import { failures, groupsOf, origin, tableOf } from './view.js';

/** The report as text: a table for each group, followed by its failures. */
export function textTable(report: Report): string {
  const parts = groupsOf(report).map(({ title, cases }) => {
    const { header, cases: tables } = tableOf(cases);
    const rows = tables.flatMap(({ view, rows: cells }) =>
      cells.map((row, number) => [number === 0 ? view.name : '', ...row]),
    );
    const left = 1 + header.filter(({ text }) => text).length;
    const table = columns(['case', ...header.map((column) => column.title)], rows, left);
    return [title, '', table, ...failures(cases).map((sentence) => `failed: ${sentence}`)].join('\n');
  });
  const chosen = report.results.some((result) => result.chosen === true);
  return [origin(report).join('\n'), ...parts, ...(chosen ? ['* what the library takes on this adapter'] : [])]
    .join('\n\n')
    .concat('\n');
}
