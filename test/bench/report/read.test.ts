import { expect, test } from 'vitest';
import { ReportError, readReport } from '../../../bench/report/read.mjs';
import { exampleReport } from '../../support/bench-report.js';

const reading = (value: unknown): (() => unknown) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return () => readReport(text, 'old.json');
};

test('reads what the bench writes, and members that it does not know', () => {
  const report = exampleReport();
  expect(readReport(JSON.stringify(report), 'old.json')).toEqual(report);
  expect(reading({ ...report, later: true })).not.toThrow();
});

/** The example with one member replaced. */
function changed(path: string, value: unknown): unknown {
  const report = JSON.parse(JSON.stringify(exampleReport()));
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  keys.reduce((at, key) => at[key], report)[last] = value;
  return report;
}

test.each<[string, unknown, string]>([
  ['no JSON', '{"schema": 1,', 'old.json is not JSON: '],
  ['an empty file', '', 'old.json is not JSON: '],
  ['a list', [], 'old.json is no report of this bench: it has no schema.'],
  ['nothing', 'null', 'old.json is no report of this bench: it has no schema.'],
  ['a package.json', { name: 'x', version: '1.0.0' }, 'old.json is no report of this bench: it has no schema.'],
  ['another schema', { ...exampleReport(), schema: 2 }, 'old.json has schema 2, and this bench reads schema 1.'],
  ['no date', changed('date', 'yesterday'), 'date is "yesterday"; expected a date.'],
  ['no results', changed('results', undefined), 'results is missing; expected a list.'],
  ['no adapter', changed('environment.adapter', 7), 'environment.adapter is 7; expected an object.'],
  [
    'a flag',
    changed('environment.adapter.software', 'yes'),
    'environment.adapter.software is "yes"; expected true or false.',
  ],
  [
    'a limit',
    changed('environment.limits.maxBufferSize', '1'),
    'environment.limits["maxBufferSize"] is "1"; expected a number.',
  ],
  ['a median', changed('results.2.median', null), 'results[2].median is null; expected a number.'],
  ['a group', changed('results.0.group', 'other'), 'results[0].group is "other"; expected one of adapter, kernel,'],
  ['a sample', changed('results.4.samples', [1, 'x']), 'results[4].samples[1] is "x"; expected a number.'],
  ['a ratio', changed('results.4.ratio', { jax: 'fast' }), 'results[4].ratio["jax"] is "fast"; expected a number.'],
  [
    'a bound',
    changed('results.4.bound', 'luck'),
    'results[4].bound is "luck"; expected one of compute, memory, launch.',
  ],
  ['quartiles', changed('results.4.p25', 1e9), 'results[4] has quartiles 1000000000 and 30.6 around a median of 30.'],
  ['a median', changed('results.4.median', 29), 'results[4] has quartiles 29.4 and 30.6 around a median of 29.'],
  ['no samples', changed('results.4.samples', []), 'results[4] has neither samples nor an error.'],
])('%s is refused', (_, value, message) => {
  expect(reading(value)).toThrow(ReportError);
  expect(reading(value)).toThrow(message);
  expect(reading(value)).toThrow(/^old\.json /);
});
