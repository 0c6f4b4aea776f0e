import { afterEach, expect, test } from 'vitest';
import { compareReports, readReport, showReport, textTable } from '../../../bench/report/index.js';
import { exampleReport } from '../../support/bench-report.js';

afterEach(() => document.body.replaceChildren());

test('a page shows the report as plots, and as text to be copied', () => {
  const report = exampleReport();
  showReport(document.body, report);
  expect(document.querySelectorAll('figure svg[role=img]').length).toBe(8);
  expect(document.querySelector('pre')?.textContent).toBe(textTable(report));
  const figure = document.querySelector('figure');
  expect(figure && getComputedStyle(figure).borderTopWidth).toBe('1px');
});

test('what a page has measured can be read and compared there', () => {
  const report = readReport(JSON.stringify(exampleReport()), 'bench.json');
  expect(compareReports(report, report)).toContain('quartiles overlap');
});
