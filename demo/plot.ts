import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import * as format from './format.ts';
import type { Point } from './history.ts';

/** Kind of chart: the values that it draws, and their format. */
export interface Kind {
  readonly title: string;
  readonly batch: (point: Point) => number;
  readonly train: (point: Point) => number;
  readonly test: (point: Point) => number | undefined;
  readonly write: (value: number) => string;
  readonly scale: uPlot.Scale;
  readonly ticks: (low: number, high: number) => number[];
}

type Range = [number, number];

/** Draws a chart's axes, and its series once there are values. */
export class Plot {
  readonly #kind: Kind;
  readonly #surface: HTMLElement;
  readonly #onCursor: (index: number | null) => void;
  readonly #plot: uPlot;

  /** @param onCursor called with the index of the point under the pointer, or null */
  constructor(surface: HTMLElement, kind: Kind, onCursor: (index: number | null) => void) {
    this.#kind = kind;
    this.#surface = surface;
    this.#onCursor = onCursor;
    this.#plot = new uPlot(this.#options(), [[], [], [], []], surface);
    new ResizeObserver(() => this.#fit()).observe(surface);
  }

  set(points: readonly Point[]): void {
    const { batch, train, test } = this.#kind;
    const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
    this.#plot.setData([
      points.map((point) => point.step),
      points.map((point) => finite(batch(point))),
      points.map((point) => finite(train(point))),
      points.map((point) => test(point) ?? null),
    ]);
  }

  /** Draws again, in the colours of the new theme. */
  repaint(): void {
    this.#plot.redraw(false, true);
  }

  #fit(): void {
    const { clientWidth: width, clientHeight: height } = this.#surface;
    if (width > 0 && (width !== this.#plot.width || height !== this.#plot.height))
      this.#plot.setSize({ width, height });
  }

  #options(): uPlot.Options {
    const { scale, ticks, write, title } = this.#kind;
    const colour = (name: string) => () => getComputedStyle(this.#surface).getPropertyValue(name).trim();
    const font = `12px ${getComputedStyle(document.documentElement).getPropertyValue('--filled')}`;
    const axis: uPlot.Axis = {
      stroke: colour('--label'),
      font,
      ticks: { show: false },
      grid: { stroke: colour('--rule'), width: 1 },
    };
    const label = (value: number): string =>
      title === 'Loss' ? String(Number(value.toPrecision(2))) : format.roughPercent(value);
    return {
      width: 320,
      height: 220,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: false, range: (_, __, high): Range => [0, Math.max(high ?? 0, 10)] }, y: scale },
      axes: [
        {
          ...axis,
          size: 28,
          gap: 6,
          space: 70,
          grid: { show: false },
          values: (_, splits) => splits.map((step) => (Number.isInteger(step) ? format.integer(step) : '')),
        },
        {
          ...axis,
          size: 48,
          gap: 8,
          splits: (_, __, low, high) => ticks(low, high),
          filter: (_, splits) => splits,
          values: (_, splits) => splits.map(label),
        },
      ],
      series: [
        {},
        { label: 'single batches', auto: false, stroke: colour('--batch'), width: 1, points: { show: false } },
        {
          label: 'training',
          stroke: colour('--train'),
          width: 2,
          points: { show: (_, __, first, last) => last - first < 2, size: 6 },
        },
        {
          label: 'test',
          stroke: colour('--test'),
          width: 2,
          dash: [6, 4],
          spanGaps: true,
          points: { show: true, size: 9, fill: colour('--test') },
          value: (_, value) => (value === null ? '–' : write(value)),
        },
      ],
      hooks: { setCursor: [(plot) => this.#onCursor(plot.cursor.idx ?? null)] },
    };
  }
}
