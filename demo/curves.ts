import { create } from './element.ts';
import * as format from './format.ts';
import { type Point, thinned } from './history.ts';
import type { Kind, Plot } from './plot.ts';

type Range = [number, number];
/** The level of a chart's heading, which depends on the headings above it. */
type Heading = 'h2' | 'h3';

const DECADES = [0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000];
const LOSS_TICKS = DECADES.flatMap((decade) => [decade, 2 * decade, 5 * decade]);

const lossKind: Kind = {
  title: 'Loss',
  batch: (point) => point.loss,
  train: (point) => point.meanLoss,
  test: (point) => point.testLoss,
  write: format.loss,
  scale: { distr: 3, range: (_, low, high): Range => (low > 0 ? [low * 0.8, high * 1.25] : [0.1, 3]) },
  ticks: (low, high) => LOSS_TICKS.filter((tick) => tick >= low && tick <= high),
};

const accuracyKind: Kind = {
  title: 'Accuracy',
  batch: (point) => point.accuracy,
  train: (point) => point.meanAccuracy,
  test: (point) => point.testAccuracy,
  write: format.percent,
  scale: { range: (_, low): Range => [Math.max(0, Math.floor((low ?? 0) * 10) / 10 - (low >= 0.1 ? 0 : 0.05)), 1] },
  ticks: (low) => {
    const by = low < 0.5 ? 0.2 : low < 0.8 ? 0.1 : 0.05;
    return Array.from({ length: 11 }, (_, i) => 1 - i * by)
      .filter((tick) => tick >= low - 1e-9)
      .reverse();
  },
};

/** A chart of training and test values over training steps, with a summary in words and a table. */
class Chart {
  readonly #kind: Kind;
  readonly #surface: HTMLDivElement;
  readonly #reading: HTMLElement;
  readonly #summary: HTMLParagraphElement;
  readonly #details: HTMLDetailsElement;
  readonly #rows: HTMLTableSectionElement;
  #points: readonly Point[] = [];
  #plot: Plot | undefined;

  constructor(figure: HTMLElement, kind: Kind, heading: Heading) {
    this.#kind = kind;
    this.#surface = create('div', { className: 'chart-surface' });
    this.#surface.setAttribute('role', 'img');
    this.#reading = create('span', { className: 'reading' });
    this.#summary = create('p', { className: 'hint' });
    this.#rows = create('tbody');
    const head = ['Step', 'Training', 'Test'].map((name) => Object.assign(create('th', {}, name), { scope: 'col' }));
    const caption = create('caption', { className: 'visually-hidden' }, `${kind.title} by training step`);
    const table = create('table', {}, caption, create('thead', {}, create('tr', {}, ...head)), this.#rows);
    const scroll = create('div', { className: 'table-scroll', tabIndex: 0 }, table);
    scroll.setAttribute('role', 'region');
    scroll.setAttribute('aria-label', `${kind.title}, table`);
    this.#details = create('details', {}, create('summary', {}, `${kind.title} as a table`), scroll);
    this.#details.addEventListener('toggle', () => this.#fillTable());
    figure.append(
      create(
        'figcaption',
        {},
        create(heading, {}, kind.title),
        create('span', { className: 'key key-train' }, 'training'),
        create('span', { className: 'key key-test' }, 'test'),
        this.#reading,
      ),
      this.#surface,
      this.#summary,
      this.#details,
    );
    this.set([]);
    void this.#draw();
  }

  set(points: readonly Point[]): void {
    this.#points = points;
    this.#plot?.set(points);
    this.#read(null);
    this.#summary.textContent = this.#describe();
    this.#surface.setAttribute('aria-label', `${this.#kind.title}. ${this.#describe()}`);
    if (this.#details.open) this.#fillTable();
  }

  /** Draws again, in the colours of the new theme. */
  repaint(): void {
    this.#plot?.repaint();
  }

  /** Draws the chart. The plotting library is larger than the rest of the page, so it loads after the words are shown. */
  async #draw(): Promise<void> {
    const { Plot } = await import('./plot.ts');
    this.#plot = new Plot(this.#surface, this.#kind, (index) => this.#read(index));
    this.#plot.set(this.#points);
  }

  #describe(): string {
    const { title, train, test, write } = this.#kind;
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    if (first === undefined || last === undefined) return 'Nothing trained yet.';
    const tested = this.#points.filter((point) => test(point) !== undefined).at(-1);
    const testValue = tested === undefined ? undefined : test(tested);
    const name = title.toLowerCase();
    return `Training ${name} went from ${write(train(first))} to ${write(train(last))} in ${format.integer(last.step)} steps${
      testValue === undefined ? '.' : `; test ${name} is ${write(testValue)}.`
    }`;
  }

  #fillTable(): void {
    if (!this.#details.open) return;
    const { train, test, write } = this.#kind;
    this.#rows.replaceChildren(
      ...thinned(this.#points, 20).map((point) => {
        const tested = test(point);
        const cells = [write(train(point)), tested === undefined ? '–' : write(tested)];
        const step = Object.assign(create('th', {}, format.integer(point.step)), { scope: 'row' });
        return create('tr', {}, step, ...cells.map((cell) => create('td', {}, cell)));
      }),
    );
  }

  /** Shows the values under the pointer, or none. */
  #read(index: number | null): void {
    const point = index === null ? undefined : this.#points[index];
    const { train, test, write } = this.#kind;
    const tested = point === undefined ? undefined : test(point);
    this.#reading.textContent =
      point === undefined
        ? ''
        : `step ${format.integer(point.step)}: ${write(train(point))}${tested === undefined ? '' : `, test ${write(tested)}`}`;
  }
}

/** Loss and accuracy, side by side. */
export class Curves {
  readonly #charts: readonly Chart[];

  constructor(lossFigure: HTMLElement, accuracyFigure: HTMLElement, heading: Heading = 'h2') {
    this.#charts = [new Chart(lossFigure, lossKind, heading), new Chart(accuracyFigure, accuracyKind, heading)];
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const chart of this.#charts) chart.repaint();
    });
  }

  set(points: readonly Point[]): void {
    for (const chart of this.#charts) chart.set(points);
  }
}
