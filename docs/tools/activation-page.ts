import * as Plot from '@observablehq/plot';
import { activationFormulas } from '../../shaders/activations.ts';
import {
  type Activation,
  type ActivationRowName,
  activationNames,
  activationTable,
  resolveActivation,
} from '../../src/kernels/activations.ts';
import { BLUE, plotDocument, RULE, type Series, sheet, VERMILION, WIDTH } from './svg-sheet.ts';

// Generates the picture and the table of docs/activations.md, from the same table as the shaders and the CPU reference.

/** The functions are plotted from −REACH to REACH. */
const REACH = 4;
const STEP = 0.05;
const LOWEST = -2;
/** Difference between neighbouring points that counts as a jump: no function here is steeper than 1.8. */
const JUMP = 0.2;

const TICKS_Z = [-4, -2, 0, 2, 4];
const TICKS_Y = [-2, -1, 0, 1, 2, 3, 4];

const COLUMNS = 4;
const ROW = 195;

const SERIES: readonly Series[] = [
  { name: 'value', ...BLUE, style: '', text: 'g(z), the activation', x: 60 },
  { name: 'derivative', ...VERMILION, style: 'stroke-dasharray: 5 4;', text: 'g′(z), its derivative', x: 280 },
];

/** A small plot: a function and its derivative, both of z. */
interface Panel {
  readonly title: string;
  readonly value: (z: number) => number;
  readonly derivative: (z: number) => number;
}

/** A row's activation as a user writes it. */
function activationOf(row: ActivationRowName): Activation {
  return row === 'geluTanh' ? { type: 'gelu', approximate: 'tanh' } : row;
}

const GREEK: Readonly<Record<string, string>> = { alpha: 'α', beta: 'β', omega: 'ω' };

function panelOf(row: ActivationRowName): Panel {
  const { from, alpha } = resolveActivation(activationOf(row));
  const { parameter } = activationTable[row];
  const [value, derivative] = activationFormulas[row].cpu;
  const name = row === 'geluTanh' ? 'gelu, tanh form' : row;
  return {
    title: parameter === undefined ? name : `${name}, ${GREEK[parameter.name]} = ${parameter.default}`,
    value: (z) => value(z, alpha),
    derivative: (z) => derivative(from === 'y' ? value(z, alpha) : z, alpha),
  };
}

/** Maxout with example pieces, because its pieces are learned. */
const maxoutPanel: Panel = {
  title: 'maxout of −z−1, z/2',
  value: (z) => Math.max(-z - 1, z / 2),
  derivative: (z) => (-z - 1 >= z / 2 ? -1 : 0.5),
};

interface Point {
  readonly column: number;
  readonly row: number;
  readonly z: number;
  /** NaN for an interruption of the line. */
  readonly y: number;
}

/** A line through a function's points, interrupted at jumps and outside of the panel. */
function line(f: (z: number) => number, column: number, row: number): Point[] {
  const points: Point[] = [];
  for (let i = -REACH / STEP; i <= REACH / STEP; i++) {
    const z = Math.round(i * STEP * 100) / 100;
    // Rounded, because JavaScript engines differ in the last digits of exponentials.
    const y = Math.round(f(z) * 1e4) / 1e4;
    const before = points.at(-1);
    const jumps = before !== undefined && Math.abs(y - before.y) > JUMP;
    if (jumps) points.push({ column, row, z, y: Number.NaN });
    points.push({ column, row, z, y: y < LOWEST || y > REACH ? Number.NaN : y });
  }
  return points;
}

/** The picture as SVG: a plot of each activation and its derivative. */
export function activationPicture(): string {
  const panels = [...activationNames.map(panelOf), maxoutPanel];
  const placed = panels.map((panel, i) => ({ ...panel, column: i % COLUMNS, row: Math.floor(i / COLUMNS) }));
  const rows = Math.ceil(panels.length / COLUMNS);
  const height = rows * ROW + 50;
  const facet = { fx: 'column', fy: 'row' } as const;
  const plot = Plot.plot({
    document: plotDocument(),
    className: 'plot',
    width: WIDTH,
    height,
    marginLeft: 60,
    marginRight: 14,
    marginTop: 24,
    marginBottom: 40,
    fx: { axis: null, padding: 0.14 },
    fy: { axis: null, padding: 0.2 },
    x: { domain: [-REACH, REACH], ticks: TICKS_Z, label: 'z', labelAnchor: 'center', labelArrow: 'none' },
    y: {
      domain: [LOWEST, REACH],
      ticks: TICKS_Y,
      tickFormat: 'd',
      label: 'g(z) and g′(z)',
      labelAnchor: 'center',
      labelArrow: 'none',
    },
    marks: [
      Plot.gridX({ ...RULE, ticks: TICKS_Z }),
      Plot.gridY({ ...RULE, ticks: TICKS_Y }),
      Plot.frame(RULE),
      Plot.line(
        placed.flatMap(({ value, column, row }) => line(value, column, row)),
        { ...facet, x: 'z', y: 'y', className: 'value' },
      ),
      Plot.line(
        placed.flatMap(({ derivative, column, row }) => line(derivative, column, row)),
        { ...facet, x: 'z', y: 'y', className: 'derivative' },
      ),
      Plot.text(placed, { ...facet, text: 'title', frameAnchor: 'top-left', dy: -17, fontWeight: 600 }),
    ],
  });
  return sheet(plot, { height, label: 'Every activation and its derivative from −4 to 4', series: SERIES });
}

/** The table: the name, formula and parameter of each activation, and the operand of its derivative (y or z). */
function activationTableText(): string {
  const rows = activationNames.map((row) => {
    const { spec } = resolveActivation(activationOf(row));
    const { parameter, from, untrainable } = activationTable[row];
    const written = typeof spec === 'string' ? `'${spec}'` : objectText(spec);
    const how = { always: ', learned', 'if asked': ', learned if asked' };
    const given =
      parameter && `${GREEK[parameter.name]} = ${parameter.default}${parameter.learned ? how[parameter.learned] : ''}`;
    return [
      `\`${written}\``,
      activationFormulas[row].formula.replaceAll('|', '\\|'),
      given ?? '',
      untrainable ? 'cannot be trained' : from,
    ];
  });
  rows.push(["`{ type: 'maxout', pieces: 2 }`", 'the largest of k linear pieces', 'k = 2', 'z']);
  const lines = rows.map((cells) => `| ${cells.join(' | ')} |`);
  return ['| written out | g(z) | parameter and default | g′ from |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

/** An object as source text. */
function objectText(spec: object): string {
  const fields = Object.entries(spec).map(
    ([name, value]) => `${name}: ${typeof value === 'string' ? `'${value}'` : String(value)}`,
  );
  return `{ ${fields.join(', ')} }`;
}

const BEGIN = '<!-- from the table in src/kernels/activations.ts: npm run docs -->';
const END = '<!-- end -->';

/** The page with the current table. @throws {Error} if the page has no place for it */
export function withActivationTable(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/activations.md has no place between "${BEGIN}" and "${END}".`);
  return `${page.slice(0, begin)}${BEGIN}\n${activationTableText()}\n${page.slice(end)}`;
}
