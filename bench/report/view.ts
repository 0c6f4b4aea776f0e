import type { Report, Result } from '../case.js';
import { ON_PROCESSOR, PEER_NAMES } from '../peers/names.js';
import { digits, percent, plural, spread, times } from './format.js';

/** The results of one case, in the order in which they were measured. */
export interface CaseView {
  readonly name: string;
  readonly results: readonly Result[];
  /** The result of this library; undefined if only kernels or limits are measured. */
  readonly own: Result | undefined;
}

export interface GroupView {
  readonly title: string;
  readonly group: Result['group'];
  readonly cases: readonly CaseView[];
}

const TITLES: readonly (readonly [Result['group'], string])[] = [
  ['adapter', 'The adapter'],
  ['kernel', 'Kernels'],
  ['training', 'Training'],
  ['prediction', 'Prediction'],
  ['start', 'From cold'],
];

export const isPeer = ({ contender }: Result): boolean => PEER_NAMES.includes(contender);

const isOwn = ({ contender, chosen, error }: Result): boolean =>
  error === undefined && (chosen === true || contender === 'webgpu-mlp');

/** The report's results by group and case, without empty groups. */
export function groupsOf({ results }: Report): GroupView[] {
  return TITLES.flatMap(([group, title]) => {
    const members = results.filter((result) => result.group === group);
    const names = [...new Set(members.map((result) => result.case))];
    const cases = names.map((name) => {
      const ofCase = members.filter((result) => result.case === name);
      return { name, results: ofCase, own: ofCase.find(isOwn) };
    });
    return cases.length === 0 ? [] : [{ title, group, cases }];
  });
}

/** Speed of this library relative to a rival: 2 if the library is twice as fast. */
export function timesAsFast({ own }: CaseView, rival: Result): number | undefined {
  return own === undefined || own === rival ? undefined : own.ratio?.[rival.contender];
}

interface Column {
  readonly title: string;
  /** True for text, which is aligned left; numbers are aligned right. */
  readonly text?: boolean;
  cell(result: Result, view: CaseView): string | undefined;
}

const optional = (value: number | undefined, write: (value: number) => string): string | undefined =>
  value === undefined ? undefined : write(value);

/** True for results that ran on the adapter, to which its limits apply. */
const onAdapter = ({ contender }: Result): boolean => !ON_PROCESSOR.includes(contender);

const measured = (result: Result): boolean => result.error === undefined;

const COLUMNS: readonly Column[] = [
  { title: 'contender', text: true, cell: ({ contender, chosen }) => `${contender}${chosen === true ? ' *' : ''}` },
  { title: 'ms', cell: (result) => (measured(result) ? digits(result.median) : 'failed') },
  { title: 'quartiles', cell: (result) => (measured(result) ? spread(result) : undefined) },
  { title: 'figure', cell: ({ value, unit }) => optional(value, (number) => `${digits(number)} ${unit ?? ''}`.trim()) },
  { title: 'GFLOP/s', cell: ({ gflops }) => optional(gflops, digits) },
  { title: 'GB/s', cell: ({ gbps }) => optional(gbps, digits) },
  { title: 'of the limit', cell: (result) => (onAdapter(result) ? optional(result.shareOfPeak, percent) : undefined) },
  { title: 'limited by', cell: (result) => (onAdapter(result) ? result.bound : undefined) },
  { title: 'dispatches', cell: ({ dispatches }) => optional(dispatches, String) },
  { title: 'compile ms', cell: ({ compileMs }) => optional(compileMs, digits) },
  { title: 'GPU MB', cell: ({ gpuBytes }) => optional(gpuBytes, (bytes) => digits(bytes / 1e6)) },
  {
    title: 'ours is',
    cell: (result, view) => optional(timesAsFast(view, result), (ratio) => `${times(ratio)} as fast`),
  },
];

export interface Table {
  readonly header: readonly { readonly title: string; readonly text: boolean }[];
  /** For each case, one row of cells for each result. */
  readonly cases: readonly { readonly view: CaseView; readonly rows: readonly (readonly string[])[] }[];
}

/** The table of these cases, without empty columns. */
export function tableOf(cases: readonly CaseView[]): Table {
  const used = COLUMNS.filter(({ cell }) =>
    cases.some((view) => view.results.some((result) => (cell(result, view) ?? '') !== '')),
  );
  return {
    header: used.map(({ title, text = false }) => ({ title, text })),
    cases: cases.map((view) => ({
      view,
      rows: view.results.map((result) => used.map(({ cell }) => cell(result, view) ?? '')),
    })),
  };
}

/** The failures of these cases, one sentence each. */
export function failures(cases: readonly CaseView[]): string[] {
  return cases.flatMap(({ name, results }) =>
    results.flatMap(({ contender, error }) => (error === undefined ? [] : [`${name}, ${contender}: ${error}`])),
  );
}

export function adapterName({ environment: { adapter } }: Report): string {
  const names = [adapter.vendor, adapter.architecture, adapter.description].filter((name) => name !== '');
  return `${names.join(' ') || 'unnamed adapter'}${adapter.software ? ' (software)' : ''}`;
}

/** The number of samples in words: `11 samples`, or `3 to 11 samples`. */
export function sampleCount(results: readonly Result[]): string {
  const counts = results.filter(measured).map(({ samples }) => samples.length);
  if (counts.length === 0) return 'no samples';
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  return fewest === most ? plural(most, 'sample') : `${fewest} to ${plural(most, 'sample')}`;
}

/** A date and time to the minute, in UTC. */
export const moment = (date: string): string => `${new Date(date).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** Origin of the numbers: machine, date, versions and settings, and warnings that limit their use. */
export function origin(report: Report): string[] {
  const { date, commit, settings, environment, results } = report;
  const { runtime, cpu, versions } = environment;
  return [
    [adapterName(report), runtime, ...(cpu === undefined ? [] : [cpu])].join(', '),
    `${moment(date)}, commit ${commit}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    `Medians of ${sampleCount(results)}, the contenders of a case in turn.`,
    ...(settings.quick ? ['Quick: few and short samples, for a look and not for a claim.'] : []),
    ...(settings.only === '' ? [] : [`Only cases with "${settings.only}" in their names.`]),
    ...(environment.adapter.software ? ['A software adapter says nothing about GPUs.'] : []),
  ].filter((line) => line !== '');
}
