import * as Plot from '@observablehq/plot';
import type { Report, Result } from '../case.js';
import { PEER_NAMES } from '../peers/names.js';
import { digits, percent, spread, times } from './format.js';
import { type CaseView, failures, type GroupView, groupsOf, isPeer, tableOf, timesAsFast } from './view.js';

/** Style sheet, with the colours of Okabe and Ito for light and dark pages. Each colour also has a symbol or a label. */
export const STYLE = `
.bench-report {
  --ink: #15211a; --sheet: #fcfefc; --rule: #c4dccf; --label: #1d6b4b;
  --own: #0072b2; --jax: #d55e00; --tfjs: #8f5a7c; --variant: #6b7a72;
  color: var(--ink);
  font: 1rem/1.45 system-ui, sans-serif;
}
@media (prefers-color-scheme: dark) {
  .bench-report {
    --ink: #e8f0eb; --sheet: #141d19; --rule: #2b4036; --label: #86cfab;
    --own: #56b4e9; --jax: #e69f00; --tfjs: #cc9dbb; --variant: #9aa8a0;
  }
}
.bench-report h2 { color: var(--label); margin: 2rem 0 0.5rem; }
.bench-report h3 { font-size: 1rem; margin: 0 0 0.25rem; overflow-wrap: anywhere; }
.bench-report .figures { align-items: start; display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(23rem, 100%), 1fr)); }
.bench-report figure { margin: 0; padding: 0.75rem; border: 1px solid var(--rule); background: var(--sheet); min-width: 0; }
.bench-report figure svg { --plot-background: var(--sheet); display: block; width: 100%; height: auto; max-width: 30rem; }
.bench-report .legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; list-style: none; margin: 0; padding: 0; }
.bench-report .legend svg { display: inline; width: 1em; height: 1em; vertical-align: -0.1em; }
.bench-report .scroll { overflow-x: auto; }
.bench-report table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
.bench-report th, .bench-report td { padding: 0.15rem 0.6rem 0.15rem 0; text-align: right; white-space: nowrap; }
.bench-report th.text, .bench-report td.text, .bench-report tbody th { text-align: left; font-weight: normal; }
.bench-report thead th { border-bottom: 1px solid var(--rule); }
.bench-report summary { cursor: pointer; min-height: 24px; }
`;

const WIDTH = 400;
const ROW = 34;

/** Style of text with an outline, so that it is readable over lines. */
const READABLE = { fill: 'var(--ink)', stroke: 'var(--sheet)', strokeWidth: 4 } as const;

/** Colour and symbol of a kind of contender. */
interface Kind {
  readonly colour: string;
  readonly symbol: Plot.SymbolType;
}

const KINDS: readonly Kind[] = [
  { colour: 'var(--jax)', symbol: 'diamond' },
  { colour: 'var(--jax)', symbol: 'triangle' },
  { colour: 'var(--tfjs)', symbol: 'square' },
  { colour: 'var(--tfjs)', symbol: 'star' },
  { colour: 'var(--tfjs)', symbol: 'wye' },
  { colour: 'var(--tfjs)', symbol: 'cross' },
];
const OWN: Kind = { colour: 'var(--own)', symbol: 'circle' };
const VARIANT: Kind = { colour: 'var(--variant)', symbol: 'circle' };

const kindOfPeer = (name: string): Kind => KINDS[PEER_NAMES.indexOf(name)] ?? VARIANT;

const kindOf = (result: Result, own: Result | undefined): Kind => {
  if (result === own) return OWN;
  return isPeer(result) ? kindOfPeer(result.contender) : VARIANT;
};

/** Creates the elements of a report's plots, in a page's document or in one for text. */
class Drawing {
  readonly #document: Document;

  constructor(document: Document) {
    this.#document = document;
  }

  element(
    name: string,
    attributes: Readonly<Record<string, string>> = {},
    ...children: (Node | string)[]
  ): HTMLElement {
    const made = this.#document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    for (const child of children) made.append(child);
    return made;
  }

  /** A plot of rows, each with its label above it. @param alternative text alternative for screen readers */
  plot(alternative: string, rows: readonly string[], x: Plot.ScaleOptions, marks: readonly Plot.Markish[]): Element {
    const svg = Plot.plot({
      document: this.#document,
      width: WIDTH,
      height: rows.length * ROW + 44,
      marginLeft: 14,
      marginRight: 44,
      marginTop: 6,
      marginBottom: 34,
      style: { fontSize: '13px' },
      x: { ...x, tickSize: 3 },
      y: { axis: null, domain: [...rows], type: 'band', padding: 0 },
      marks: [
        ...marks,
        Plot.text(rows, { ...READABLE, text: (row) => row, y: (row) => row, frameAnchor: 'left', dy: -8 }),
      ],
    });
    // Only the plot as a whole has a text alternative, not its parts.
    for (const part of svg.querySelectorAll('[aria-label]')) {
      part.setAttribute('class', part.getAttribute('aria-label') ?? '');
      part.removeAttribute('aria-label');
    }
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', alternative);
    return svg;
  }

  /** A single symbol, for a legend. */
  symbol({ colour, symbol }: Kind): Element {
    const svg = Plot.plot({
      document: this.#document,
      width: 12,
      height: 12,
      margin: 0,
      axis: null,
      marks: [Plot.dot([0], { frameAnchor: 'middle', symbol, fill: colour, r: 4.5 })],
    });
    svg.setAttribute('aria-hidden', 'true');
    return svg;
  }

  figure(title: string, ...content: (Node | string)[]): HTMLElement {
    return this.element('figure', {}, this.element('figcaption', {}, this.element('h3', {}, title)), ...content);
  }

  /** A collapsed table of a case's numbers. */
  table(view: CaseView): HTMLElement {
    const { header, cases } = tableOf([view]);
    const kind = (text = false): Record<string, string> => (text ? { class: 'text' } : {});
    const head = header.map(({ title, text }) => this.element('th', { scope: 'col', ...kind(text) }, title));
    const rows = (cases[0]?.rows ?? []).map(([first = '', ...others]) => {
      const data = others.map((cell, column) => this.element('td', kind(header[column + 1]?.text), cell));
      return this.element('tr', {}, this.element('th', { scope: 'row' }, first), ...data);
    });
    const table = this.element(
      'table',
      {},
      this.element('thead', {}, this.element('tr', {}, ...head)),
      this.element('tbody', {}, ...rows),
    );
    // The table scrolls sideways on a phone, so it must be focusable to be scrolled with a keyboard.
    const scrolling = { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `The numbers of ${view.name}` };
    const failed = failures([view]).map((sentence) => this.element('p', {}, `Failed: ${sentence}`));
    const summary = this.element('summary', {}, 'The numbers');
    return this.element('details', {}, summary, this.element('div', scrolling, table), ...failed);
  }
}

/** Plot of a case: milliseconds with medians as symbols and quartiles as lines, or the adapter's figures as bars. */
function caseFigure(drawing: Drawing, view: CaseView): HTMLElement {
  const results = view.results.filter(({ error }) => error === undefined);
  const { name } = view;
  if (results.length === 0) return drawing.figure(name, ...failures([view]), drawing.table(view));
  const unit = results[0]?.unit;
  const figures = unit !== undefined && results.every((result) => result.unit === unit && result.value !== undefined);
  const rows = results.map(({ contender }) => contender);
  return drawing.figure(
    name,
    figures ? bars(drawing, name, rows, results, unit) : intervals(drawing, view, rows, results),
    drawing.table(view),
  );
}

function bars(drawing: Drawing, name: string, rows: string[], results: readonly Result[], unit: string): Element {
  const told = results.map(({ contender, value = 0 }) => `${contender} ${digits(value)} ${unit}`).join(', ');
  const shape = { y: 'contender', x: 'value' } as const;
  return drawing.plot(
    `${name}: ${told}.`,
    rows,
    { label: unit, domain: [0, most(results.map(({ value = 0 }) => value))] },
    [
      Plot.barX(results, { ...shape, x1: 0, x2: 'value', insetTop: 18, insetBottom: 4, fill: OWN.colour }),
      Plot.text(results, {
        ...shape,
        text: ({ value = 0 }: Result) => digits(value),
        dx: 4,
        dy: 7,
        textAnchor: 'start',
      }),
    ],
  );
}

function intervals(drawing: Drawing, { name, own }: CaseView, rows: string[], results: readonly Result[]): Element {
  const told = results.map((result) => `${result.contender} ${digits(result.median)} (${spread(result)})`).join(', ');
  const scale = logarithmic(results.flatMap(({ p25, p75 }) => [p25, p75]));
  return drawing.plot(`${name}, milliseconds with quartiles: ${told}.`, rows, { ...scale, label: 'ms' }, [
    grid(scale.ticks),
    Plot.ruleY(results, {
      y: 'contender',
      x1: 'p25',
      x2: 'p75',
      dy: 7,
      strokeWidth: 3,
      stroke: (result: Result) => kindOf(result, own).colour,
    }),
    ...results.map((result) => dot([result], { x: 'median', y: 'contender' }, kindOf(result, own))),
    Plot.text(results, {
      x: 'p75',
      y: 'contender',
      text: ({ median }: Result) => digits(median),
      dx: 8,
      dy: 7,
      textAnchor: 'start',
      ...READABLE,
    }),
  ]);
}

const dot = (data: readonly unknown[], channels: Plot.DotOptions, { colour, symbol }: Kind): Plot.Markish =>
  Plot.dot(data, { ...channels, dy: 7, r: 5, symbol, fill: colour });

const most = (values: readonly number[]): number => Math.max(...values, Number.MIN_VALUE);

/** A logarithmic scale with margins, and with ticks at 1, 2 and 5 if these are few. */
function logarithmic(values: readonly number[]): Plot.ScaleOptions & { readonly ticks: number[] } {
  const [low, high] = [Math.min(...values) / 1.3, most(values) * 1.3];
  const first = Math.floor(Math.log10(low));
  const decades = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => 10 ** (first + i));
  const within = (steps: readonly number[]): number[] =>
    decades.flatMap((decade) => steps.map((step) => step * decade)).filter((tick) => tick >= low && tick <= high);
  const ticks = within([1, 2, 5]).length <= 6 ? within([1, 2, 5]) : within([1]);
  return { type: 'log', domain: [low, high], ticks, tickFormat: (tick: number) => String(Number(tick.toPrecision(3))) };
}

const grid = (ticks: readonly number[]): Plot.Markish => Plot.gridX(ticks, { stroke: 'var(--rule)', strokeOpacity: 1 });

interface Rivalry {
  readonly name: string;
  readonly rival: string;
  readonly ratio: number;
}

/** Plot of the library's speed relative to each peer, case by case. */
function rivalFigure(drawing: Drawing, groups: readonly GroupView[]): HTMLElement[] {
  const rivalries = groups
    .flatMap(({ cases }) => cases)
    .flatMap((view) =>
      view.results.filter(isPeer).flatMap((result): Rivalry[] => {
        const ratio = timesAsFast(view, result);
        return ratio === undefined ? [] : [{ name: view.name, rival: result.contender, ratio }];
      }),
    );
  if (rivalries.length === 0) return [];
  const told = rivalries.map(({ name, rival, ratio }) => `${name} against ${rival} ${times(ratio)}`).join(', ');
  const rivals = PEER_NAMES.filter((peer) => rivalries.some(({ rival }) => rival === peer));
  const rows = [...new Set(rivalries.map(({ name }) => name))];
  const scale = logarithmic([1, ...rivalries.map(({ ratio }) => ratio)]);
  const svg = drawing.plot(`How many times as fast: ${told}.`, rows, { ...scale, label: 'times as fast' }, [
    grid(scale.ticks),
    Plot.ruleX([1], { stroke: 'var(--ink)', strokeDasharray: '3 3' }),
    ...rivals.map((peer) =>
      dot(
        rivalries.filter(({ rival }) => rival === peer),
        { x: 'ratio', y: 'name' },
        kindOfPeer(peer),
      ),
    ),
  ]);
  const legend = rivals.map((peer) => drawing.element('li', {}, drawing.symbol(kindOfPeer(peer)), ` ${peer}`));
  return [
    drawing.figure(
      'webgpu-mlp is so many times as fast as',
      drawing.element('ul', { class: 'legend' }, ...legend),
      svg,
    ),
  ];
}

/** Plot of the share of the adapter's limits that the library reaches, with the limit that bounds each case. */
function limitFigure(drawing: Drawing, groups: readonly GroupView[]): HTMLElement[] {
  const shares = groups
    .flatMap(({ cases }) => cases)
    .flatMap(({ name, own }) =>
      own?.shareOfPeak === undefined ? [] : [{ name, share: own.shareOfPeak, bound: own.bound ?? '' }],
    );
  if (shares.length === 0) return [];
  const write = ({ share, bound }: { share: number; bound: string }): string => `${percent(share)} ${bound}`.trim();
  const told = shares.map((each) => `${each.name} ${write(each)}`).join(', ');
  const x = {
    domain: [0, 1.3 * Math.max(1, ...shares.map(({ share }) => share))],
    tickFormat: '%',
    label: null,
    ticks: [0, 0.25, 0.5, 0.75, 1],
  };
  const svg = drawing.plot(
    `Share of the limit: ${told}.`,
    shares.map(({ name }) => name),
    x,
    [
      Plot.barX(shares, { y: 'name', x1: 0, x2: 'share', insetTop: 18, insetBottom: 4, fill: OWN.colour }),
      Plot.text(shares, {
        y: 'name',
        x: 'share',
        text: write,
        dx: 4,
        dy: 7,
        textAnchor: 'start',
        ...READABLE,
      }),
    ],
  );
  return [drawing.figure('Share of the limit measured in this run', svg)];
}

/** The report as plots, each with its numbers in a table. The page must contain STYLE. */
export function plots(report: Report, document: Document): HTMLElement {
  const drawing = new Drawing(document);
  const groups = groupsOf(report);
  const section = (title: string, figures: readonly HTMLElement[]): HTMLElement[] => {
    const grid = drawing.element('div', { class: 'figures' }, ...figures);
    return figures.length === 0 ? [] : [drawing.element('section', {}, drawing.element('h2', {}, title), grid)];
  };
  const summary = [...rivalFigure(drawing, groups), ...limitFigure(drawing, groups)];
  const sections = [
    ...section('Summary', summary),
    ...groups.flatMap(({ title, cases }) =>
      section(
        title,
        cases.map((view) => caseFigure(drawing, view)),
      ),
    ),
  ];
  return drawing.element('div', { class: 'bench-report' }, ...sections);
}
