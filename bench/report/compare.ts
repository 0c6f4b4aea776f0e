import type { Report, Result } from '../case.js';
import { columns, digits, spread, times } from './format.js';
import { adapterName, groupsOf, moment } from './view.js';

const keyOf = ({ case: name, contender }: Result): string => `${name}\n${contender}`;

/** Reasons why the times of two reports are not comparable, one sentence each. */
function mismatches(before: Report, now: Report): string[] {
  const differing = (what: string, old: string, current: string, then: string): string[] =>
    old === current ? [] : [`Different ${what}: ${old}, and now ${current}. ${then}`];
  const versions = Object.entries(now.environment.versions).flatMap(([name, version]) => {
    const old = before.environment.versions[name];
    return old === undefined || old === version || name === 'webgpu-mlp' ? [] : [`${name} ${old} → ${version}`];
  });
  return [
    ...differing('adapters', adapterName(before), adapterName(now), 'The ratios say nothing about the code.'),
    ...differing(
      'browsers',
      before.environment.runtime,
      now.environment.runtime,
      'Some of what changed may be theirs.',
    ),
    ...differing(
      'processors',
      before.environment.cpu ?? 'unknown',
      now.environment.cpu ?? 'unknown',
      'The ratios say little about the code.',
    ),
    ...(versions.length === 0 ? [] : [`Other versions of peers: ${versions.join(', ')}.`]),
    ...(before.settings.quick || now.settings.quick ? ['A quick run is for a look, not for a claim.'] : []),
  ];
}

/** Verdict on a change: it is more than noise if the interquartile ranges of the samples do not overlap. */
function verdict(old: Result, now: Result): string {
  if (now.p75 < old.p25) return 'faster';
  if (now.p25 > old.p75) return 'slower';
  return 'quartiles overlap';
}

function row(name: string, old: Result, now: Result): string[] {
  const cell = (result: Result): string[] =>
    result.error === undefined ? [digits(result.median), spread(result)] : ['failed', ''];
  const both = old.error === undefined && now.error === undefined;
  const change = both ? [times(old.median / now.median), verdict(old, now)] : ['', ''];
  return [name, now.contender, ...cell(old), ...cell(now), ...change];
}

function onlyIn(which: string, results: readonly Result[], others: ReadonlySet<string>): string[] {
  const names = results.filter((result) => !others.has(keyOf(result))).map((each) => `${each.case}, ${each.contender}`);
  return names.length === 0 ? [] : [`Only in ${which}:\n${names.map((name) => `  ${name}`).join('\n')}`];
}

/**
 * Compares each result with the same result of an earlier report. Even without any change the machine may be slower in one of
 * two runs, so ratios within a report are more reliable.
 */
export function compareReports(before: Report, now: Report): string {
  const old = new Map(before.results.map((result) => [keyOf(result), result]));
  const rows = groupsOf(now).flatMap(({ cases }) =>
    cases.flatMap(({ name, results }) => {
      const pairs = results.flatMap((result) => {
        const match = old.get(keyOf(result));
        return match === undefined ? [] : [{ match, result }];
      });
      return pairs.map(({ match, result }, number) => row(number === 0 ? name : '', match, result));
    }),
  );
  const header = ['case', 'contender', 'ms before', 'quartiles', 'ms now', 'quartiles', 'as fast', ''];
  const keys = (report: Report): Set<string> => new Set(report.results.map(keyOf));
  return [
    [
      `Before: ${moment(before.date)}, commit ${before.commit}. Now: ${moment(now.date)}, commit ${now.commit}.`,
      ...mismatches(before, now),
    ].join('\n'),
    rows.length === 0 ? 'The reports have no result in common.' : columns(header, rows, 2),
    ...onlyIn('the earlier report', before.results, keys(now)),
    ...onlyIn('this report', now.results, keys(before)),
  ]
    .join('\n\n')
    .concat('\n');
}
