import type { Report, Result } from '../case.js';
import { jaxName, PEER_LIBRARIES, PEER_NAMES, type PeerLibrary } from '../peers/names.js';
import { digits, percent, spread, times } from './format.js';
import {
  adapterName,
  type CaseView,
  type GroupView,
  groupsOf,
  isPeer,
  moment,
  sampleCount,
  timesAsFast,
} from './view.js';

/** A page has no place for the numbers. The message is whole sentences. */
export class ReadmeError extends Error {
  override readonly name = 'ReadmeError';
}

/** A place for measured numbers in a README, with its contents. */
export interface Block {
  /** Path of the report that the numbers are from; '' if the place is empty. */
  readonly file: string;
  readonly text: string;
}

const BLOCK = /^<!-- bench(?:: (?<file>\S+))? -->\n(?<text>[\s\S]*?)^<!-- \/bench -->$/gm;

/** A page with measured numbers. */
export interface Page {
  /** Path from the root of the repository. */
  readonly path: string;
  /** Writes a report's numbers in Markdown, in the form of this page. */
  readonly block: (report: Report) => string;
}

/** Finds the places for measured numbers on a page: `<!-- bench: FILE -->`, the numbers, `<!-- /bench -->`. */
export function blocksOf(text: string): Block[] {
  return [...text.matchAll(BLOCK)].map(({ groups = {} }) => ({ file: groups.file ?? '', text: groups.text ?? '' }));
}

/**
 * Returns a page with a report's numbers, in the place that names its file, or else in the first empty place.
 * @param file the report's path from the root of the repository
 * @throws {ReadmeError} if there is no such place
 */
export function withReport(text: string, { path, block }: Page, file: string, report: Report): string {
  const places = blocksOf(text);
  const named = places.findIndex((place) => place.file === file);
  const place = named >= 0 ? named : places.findIndex((each) => each.file === '');
  if (place < 0) {
    throw new ReadmeError(
      `${path} has no place for ${file}. Put the lines "<!-- bench -->" and "<!-- /bench -->" where its numbers belong.`,
    );
  }
  let number = 0;
  return text.replace(BLOCK, (whole) =>
    number++ === place ? `<!-- bench: ${file} -->\n${block(report)}<!-- /bench -->` : whole,
  );
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const milliseconds = (result: Result): string => `${digits(result.median)} (${spread(result)})`;

function ownCell({ own }: CaseView): string {
  if (own === undefined) return '';
  const share = own.shareOfPeak === undefined ? [] : [`${percent(own.shareOfPeak)} of ${own.bound ?? 'the limit'}`];
  return [milliseconds(own), ...(own.gflops === undefined ? [] : [`${digits(own.gflops)} GFLOP/s`]), ...share].join(
    ', ',
  );
}

function peerCell(view: CaseView, peer: string): string {
  const result = view.results.find(({ contender }) => contender === peer);
  if (result === undefined) return '';
  if (result.error !== undefined) return 'failed';
  const ratio = timesAsFast(view, result);
  return `${milliseconds(result)}${ratio === undefined ? '' : `, **${times(ratio)}**`}`;
}

/** The adapter's limits in a sentence, with only the fastest form of arithmetic. */
function adapterLimits(groups: readonly GroupView[]): string[] {
  const cases = groups.filter(({ group }) => group === 'adapter').flatMap((group) => group.cases);
  const limits = cases.flatMap(({ name, results }) => {
    const figures = results.flatMap(({ contender, value, unit = '', error }) =>
      value === undefined || error !== undefined ? [] : [{ contender, value, unit }],
    );
    const [fastest] = figures.filter(({ unit }) => unit === 'GFLOP/s').sort((a, b) => b.value - a.value);
    const told = fastest === undefined ? figures : [fastest];
    const words = told.map(({ contender, value, unit }) => `${contender} ${digits(value)} ${unit}`);
    return words.length === 0 ? [] : [`${name.replace(/^adapter /, '')} (${words.join(', ')})`];
  });
  return limits.length === 0 ? [] : [`What the adapter can do, measured in the same run: ${limits.join('; ')}.`];
}

/** The cases in which the library and peers took part. */
const racesOf = (groups: readonly GroupView[]): CaseView[] =>
  groups.flatMap((group) => group.cases).filter(({ own, results }) => own !== undefined && results.some(isPeer));

/** The machine and the time of a report. */
function originSentence(report: Report): string {
  const { runtime, cpu } = report.environment;
  const machine = [adapterName(report), runtime, ...(cpu === undefined ? [] : [cpu])].join(', ');
  return `${machine}; ${moment(report.date)}, commit ${report.commit}.`;
}

/** Sentences that limit the claims a report supports. */
const reservations = ({ settings, environment }: Report): string[] => [
  ...(settings.quick ? ['A quick run: for a look, not for a claim.'] : []),
  ...(environment.adapter.software ? ['A software adapter says nothing about GPUs.'] : []),
];

const samplesOf = (cases: readonly CaseView[]): string =>
  sampleCount(cases.flatMap(({ own, results }) => results.filter((result) => result === own || isPeer(result))));

function markdown(
  sentences: readonly string[],
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [
    ...sentences,
    '',
    row(header),
    row(header.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map(row),
  ];
  return `${lines.join('\n')}\n`;
}

/** The numbers of every peer in Markdown: their origin, and a table of the cases in which peers took part. */
export function fullBlock(report: Report): string {
  const groups = groupsOf(report);
  const cases = racesOf(groups);
  const peers = PEER_NAMES.filter((peer) =>
    cases.some(({ results }) => results.some((each) => each.contender === peer)),
  );
  const sentences = [
    originSentence(report),
    `Milliseconds: median and quartiles of ${samplesOf(cases)}, all of a row in turn in one run; bold is how many times as fast webgpu-mlp is.`,
    `Versions: ${Object.entries(report.environment.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    ...adapterLimits(groups),
    ...reservations(report),
  ];
  const rows = cases.map((view) => [view.name, ownCell(view), ...peers.map((peer) => peerCell(view, peer))]);
  return markdown(sentences, ['', 'webgpu-mlp', ...peers], rows);
}

const succeeded = (results: readonly Result[]): Result[] => results.filter(({ error }) => error === undefined);

const fastest = (results: readonly Result[]): Result | undefined =>
  [...succeeded(results)].sort((a, b) => a.median - b.median)[0];

/** Median of a result, and how many times as fast the library is. */
function medianCell(view: CaseView, result: Result): string {
  const ratio = timesAsFast(view, result);
  return `${digits(result.median)}${ratio === undefined ? '' : `, **${times(ratio)}**`}`;
}

/** The fastest of a library's backends, by name. */
function libraryCell(view: CaseView, { backends, peerName }: PeerLibrary): string {
  const results = view.results.filter(({ contender }) => backends.some((backend) => peerName(backend) === contender));
  const best = fastest(results);
  if (best === undefined) return results.length === 0 ? '' : 'failed';
  const backend = backends.find((each) => peerName(each) === best.contender) ?? '';
  return `${backend} ${medianCell(view, best)}`;
}

/** The medians of the nearest rival on WebGPU and of each library's fastest backend. */
export function summaryBlock(report: Report): string {
  const cases = racesOf(groupsOf(report));
  const nearest = jaxName('webgpu');
  /** The cases in which the library is the fastest of all that compute on some backend. */
  const wins = (isRival: (result: Result) => boolean): number =>
    cases.filter(({ own, results }) => fastest(results.filter((each) => each === own || isRival(each))) === own).length;
  const onWebGpu = PEER_LIBRARIES.map(({ peerName }) => peerName('webgpu'));
  const sentences = [
    originSentence(report),
    `Milliseconds, medians of ${samplesOf(cases)}; bold is how many times as fast webgpu-mlp is: below 1 it is slower.`,
    `webgpu-mlp is the fastest on WebGPU in ${wins(({ contender }) => onWebGpu.includes(contender))} of ${cases.length} cases, and the fastest of all backends in ${wins(isPeer)} of ${cases.length}.`,
    ...reservations(report),
  ];
  const nearestCell = (view: CaseView): string => {
    const result = view.results.find(({ contender }) => contender === nearest);
    if (result === undefined) return '';
    return result.error === undefined ? medianCell(view, result) : 'failed';
  };
  const rows = cases.map((view) => [
    view.name,
    view.own === undefined ? '' : digits(view.own.median),
    nearestCell(view),
    ...PEER_LIBRARIES.map((library) => libraryCell(view, library)),
  ]);
  const header = ['', 'webgpu-mlp', nearest, ...PEER_LIBRARIES.map(({ title }) => `fastest of ${title}`)];
  return markdown(sentences, header, rows);
}

/** The pages that have measured numbers. */
export const PAGES: readonly Page[] = [
  { path: 'README.md', block: summaryBlock },
  { path: 'docs/bench.md', block: fullBlock },
];
