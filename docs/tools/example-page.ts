import * as Plot from '@observablehq/plot';
import type { DyingReluResult } from '../../examples/dying-relu.ts';
import type { FashionMnistCurve } from '../../examples/fashion-mnist.ts';
import type { MnistDropoutResult } from '../../examples/mnist-dropout.ts';
import type { SineResult } from '../../examples/sine.ts';
import { BLUE, GREEN, GREY, plotDocument, RULE, type Series, sheet, VERMILION, WIDTH } from './svg-sheet.ts';

// Outputs and pictures of docs/examples.md, from records of `npm run example -- NAME --json docs/examples/NAME.json`.

/** Record of a run, as examples/cli.mjs writes it. */
export interface ExampleRecord<Result = unknown> {
  readonly example: string;
  readonly adapter: string;
  readonly browser: string;
  readonly seconds: number;
  readonly table: string;
  readonly result: Result;
}

/** Text of a run in the page: the command and its output. */
function printed({ example, table, seconds, adapter, browser }: ExampleRecord): string {
  return `\`\`\`text\n$ npm run example -- ${example}\n${table}\n${seconds.toFixed(1)} s on ${adapter}, ${browser}\n\`\`\``;
}

const END = '<!-- end -->';

/** The page with the recorded outputs. @throws {Error} if the page has no place for one of them */
export function withOutputs(page: string, records: readonly ExampleRecord[]): string {
  return records.reduce((text, record) => {
    const begin = `<!-- docs/examples/${record.example}.json: npm run docs -->`;
    const from = text.indexOf(begin);
    const to = text.indexOf(END, from);
    if (from < 0 || to < 0) throw new Error(`docs/examples.md has no place between "${begin}" and "${END}".`);
    return `${text.slice(0, from)}${begin}\n${printed(record)}\n${text.slice(to)}`;
  }, page);
}

/** Label options of the axes in all plots. */
const AXIS = { labelAnchor: 'center', labelArrow: 'none' } as const;
const MARGINS = { marginLeft: 70, marginRight: 24, marginTop: 14, marginBottom: 44 } as const;

interface Curve {
  readonly series: Series;
  readonly values: readonly number[];
  /** The epoch of the first value. */
  readonly from: number;
}

/** Curves over epochs. */
function curvesPicture(
  curves: readonly Curve[],
  { label, y, height = 300 }: { readonly label: string; readonly y: Plot.ScaleOptions; readonly height?: number },
): string {
  const pointsOf = ({ values, from }: Curve): { epoch: number; value: number }[] =>
    values.map((value, i) => ({ epoch: from + i, value }));
  const longest = Math.max(...curves.map(({ values, from }) => from + values.length - 1));
  const plot = Plot.plot({
    document: plotDocument(),
    className: 'plot',
    width: WIDTH,
    height,
    ...MARGINS,
    x: { label: 'epoch', ...AXIS, ticks: Math.min(longest, 15), tickFormat: 'd' },
    y: { ...AXIS, ...y },
    marks: [
      Plot.gridX({ ...RULE, ticks: Math.min(longest, 15) }),
      Plot.gridY({ ...RULE, ...(y.ticks !== undefined && { ticks: y.ticks }) }),
      Plot.frame(RULE),
      ...curves.map((curve) => Plot.line(pointsOf(curve), { x: 'epoch', y: 'value', className: curve.series.name })),
    ],
  });
  return sheet(plot, { height, label, series: curves.map(({ series }) => series) });
}

const accuracyAxis = (low: number, high: number): Plot.ScaleOptions => ({
  label: 'accuracy',
  domain: [low, high],
  tickFormat: (share: number) => `${Number((100 * share).toFixed(1))} %`,
});

/** The largest multiple of `step` that is at most the smallest value. */
const floorTo = (step: number, values: readonly number[]): number =>
  Math.round(Math.floor(Math.min(...values) / step + 1e-9) * step * 1e6) / 1e6;

function fashionMnistPicture(curves: readonly FashionMnistCurve[]): string {
  const look = {
    unit: { ...BLUE, style: '', text: 'unit: x/255', x: 70 },
    signed: { ...VERMILION, style: 'stroke-dasharray: 7 4;', text: 'signed: x/127.5 − 1', x: 240 },
    standard: { ...GREEN, style: 'stroke-dasharray: 2 3;', text: 'standard: (x − μ)/σ', x: 460 },
  } as const;
  const lines = curves.map(({ normalization: name, testAccuracy }) => ({
    series: { name, ...look[name] },
    values: testAccuracy,
    from: 1,
  }));
  const all = lines.flatMap(({ values }) => values);
  return curvesPicture(lines, {
    label: 'Accuracy on the test samples of Fashion-MNIST after each epoch, for three normalisations',
    y: accuracyAxis(floorTo(0.01, all), 0.9),
  });
}

function mnistDropoutPicture({ trainAccuracy, testAccuracy }: MnistDropoutResult): string {
  const test = { name: 'test', ...BLUE, style: '', text: 'test digits', x: 70 };
  const train = {
    name: 'train',
    ...VERMILION,
    style: 'stroke-dasharray: 7 4;',
    text: 'training digits, with dropout',
    x: 230,
  };
  return curvesPicture(
    [
      { series: test, values: testAccuracy, from: 1 },
      { series: train, values: trainAccuracy, from: 1 },
    ],
    {
      label: 'Accuracy on the test digits and on the training digits of MNIST after each epoch, with dropout',
      y: accuracyAxis(floorTo(0.01, [...trainAccuracy, ...testAccuracy]), 1),
    },
  );
}

function dyingReluPicture(results: readonly DyingReluResult[]): string {
  const look = {
    relu: { ...VERMILION, style: '', text: 'relu', x: 70 },
    leakyRelu: { ...BLUE, style: '', text: 'leakyRelu, α = 0.1', x: 180 },
  } as const;
  return curvesPicture(
    results.map(({ activation: name, below }) => ({ series: { name, ...look[name] }, values: below, from: 0 })),
    {
      label: 'Hidden units that are below 0 for every sample, after each epoch, with relu and with leakyRelu',
      y: { label: 'hidden units always below 0', domain: [0, 17], ticks: [0, 4, 8, 12, 16] },
      height: 260,
    },
  );
}

/** A panel for each network: the sine and the network's output. */
function sinePicture({ x, target, networks }: SineResult): string {
  const height = 270;
  const pointsOf = (values: readonly number[], units: number): object[] =>
    values.map((value, i) => ({ units, x: x[i], value }));
  const facet = { fx: 'units', x: 'x', y: 'value' } as const;
  const plot = Plot.plot({
    document: plotDocument(),
    className: 'plot',
    width: WIDTH,
    height,
    ...MARGINS,
    marginTop: 30,
    fx: { axis: null, padding: 0.15 },
    x: {
      label: 'x',
      ...AXIS,
      ticks: [-Math.PI, 0, Math.PI],
      tickFormat: (tick: number) => ['−π', '0', 'π'][1 + Math.sign(tick)],
    },
    y: { label: 'y', ...AXIS, domain: [-1.4, 1.4], ticks: [-1, 0, 1], tickFormat: 'd' },
    marks: [
      Plot.gridX({ ...RULE, ticks: [-Math.PI, 0, Math.PI] }),
      Plot.gridY({ ...RULE, ticks: [-1, 0, 1] }),
      Plot.frame(RULE),
      Plot.line(
        networks.flatMap(({ units }) => pointsOf(target, units)),
        { ...facet, className: 'target' },
      ),
      Plot.line(
        networks.flatMap(({ units, y }) => pointsOf(y, units)),
        { ...facet, className: 'network' },
      ),
      Plot.text(
        networks.map(({ units, error }) => ({ units, text: `${units} units: ${error.toPrecision(2)}` })),
        { fx: 'units', text: 'text', frameAnchor: 'top-left', dy: -18, fontWeight: 600 },
      ),
    ],
  });
  const label = 'A sine, and what networks with more and more hidden units make of it';
  return sheet(plot, {
    height,
    label,
    series: [
      { name: 'target', ...GREY, style: 'stroke-dasharray: 5 4;', text: 'sin x', x: 70 },
      { name: 'network', ...BLUE, style: '', text: 'a network of relu units, and its mean squared error', x: 180 },
    ],
  });
}

/** Functions that draw the picture of an example, by the example's name. */
export const pictures = {
  sine: sinePicture,
  'dying-relu': dyingReluPicture,
  'fashion-mnist': fashionMnistPicture,
  'mnist-dropout': mnistDropoutPicture,
} as const;

/** The picture of a record, if its example has one. */
export function pictureOf({ example, result }: ExampleRecord): string | undefined {
  const picture = (pictures as Readonly<Record<string, ((result: never) => string) | undefined>>)[example];
  return picture?.(result as never);
}
