import type { Report, Result } from '../case.js';
import { PEER_NAMES } from '../peers/names.js';
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

/** README.md has no place for the numbers. The message is whole sentences. */
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

/** Finds the places for measured numbers in a README: `<!-- bench: FILE -->`, the numbers, `<!-- /bench -->`. */
export function blocksOf(readme: string): Block[] {
  return [...readme.matchAll(BLOCK)].map(({ groups = {} }) => ({ file: groups.file ?? '', text: groups.text ?? '' }));
}

/**
 * Returns the README with a report's numbers, in the place that names its file, or else in the first empty place.
 * @param file the report's path from the root of the repository
 * @throws {ReadmeError} if there is no such place
 */
export function withReport(readme: string, file: string, report: Report): string {
  const places = blocksOf(readme);
  const named = places.findIndex((place) => place.file === file);
  const place = named >= 0 ? named : places.findIndex((each) => each.file === '');
  if (place < 0) {
    throw new ReadmeError(
      `README.md has no place for ${file}. Put the lines "<!-- bench -->" and "<!-- /bench -->" where its numbers belong.`,
    );
  }
  let number = 0;
  return readme.replace(BLOCK, (whole) =>
    number++ === place ? `<!-- bench: ${file} -->\n${readmeBlock(report)}<!-- /bench -->` : whole,
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

/** A report's numbers in Markdown: their origin, and a table of the cases in which peers took part. */
export function readmeBlock(report: Report): string {
  const groups = groupsOf(report);
  const cases = groups
    .flatMap((group) => group.cases)
    .filter(({ own, results }) => own !== undefined && results.some(isPeer));
  const results = cases.flatMap((view) => view.results.filter((result) => result === view.own || isPeer(result)));
  const peers = PEER_NAMES.filter((peer) => results.some(({ contender }) => contender === peer));
  const { environment, date, commit, settings } = report;
  const { runtime, cpu, versions, adapter } = environment;
  const sentences = [
    `${[adapterName(report), runtime, ...(cpu === undefined ? [] : [cpu])].join(', ')}; ${moment(date)}, commit ${commit}.`,
    `Milliseconds: median and quartiles of ${sampleCount(results)}, all of a row in turn in one run; bold is how many times as fast webgpu-mlp is.`,
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    ...adapterLimits(groups),
    ...(settings.quick ? ['A quick run: for a look, not for a claim.'] : []),
    ...(adapter.software ? ['A software adapter says nothing about GPUs.'] : []),
  ];
  const header = ['', 'webgpu-mlp', ...peers];
  const rows = cases.map((view) => row([view.name, ownCell(view), ...peers.map((peer) => peerCell(view, peer))]));
  return `${[...sentences, '', row(header), row(header.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows].join('\n')}\n`;
}
