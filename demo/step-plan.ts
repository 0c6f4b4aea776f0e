import type { Gpu, PlannedDispatch, Profile } from 'webgpu-mlp';
import type { Mnist } from './data.ts';
import { byId, create } from './element.ts';
import { integer, roughPercent } from './format.ts';
import { makeModel, makeTrainer, randomBatch } from './session.ts';
import type { Settings } from './settings.ts';

/** Duration of the warm-up and of the measurement, in milliseconds; each takes at least one step. */
const WARM_UP_MS = 500;
const MEASURE_MS = 700;

interface Measurement {
  readonly steps: number;
  readonly rows: readonly Row[];
}

/** A dispatch of the plan with its time in milliseconds, or null where the GPU has no timestamps. */
interface Row extends PlannedDispatch {
  readonly milliseconds: number | null;
}

/** Table of the dispatches of a training step, with the time of each. */
export class StepPlan {
  readonly #place = byId('plan', HTMLDivElement);
  readonly #summary = byId('plan-summary', HTMLParagraphElement);
  readonly #invitation = this.#summary.textContent ?? '';

  /** Removes the measurement from the page, because it belongs to another network. */
  clear(): void {
    this.#place.replaceChildren();
    this.#summary.textContent = this.#invitation;
  }

  async measure(gpu: Gpu, mnist: Mnist, settings: Settings): Promise<void> {
    this.#summary.textContent = 'Measuring. Training waits meanwhile.';
    try {
      this.#show(await measure(gpu, mnist, settings));
    } catch (error) {
      this.clear();
      this.#summary.textContent = `This could not be measured. ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #show({ steps, rows }: Measurement): void {
    const total = rows.reduce((sum, { milliseconds }) => sum + (milliseconds ?? 0), 0);
    const timed = rows.some(({ milliseconds }) => milliseconds !== null);
    this.#summary.textContent = timed
      ? `A step is ${rows.length} dispatches and takes ${total < 100 ? total.toPrecision(3) : integer(total)} ms on the GPU; medians of ${integer(steps)} ${steps === 1 ? 'step' : 'steps'}.`
      : `A step is ${rows.length} dispatches. This GPU tells no times: it has no timestamp-query.`;
    const caption = create(
      'caption',
      { className: 'visually-hidden' },
      'What a training step runs on the GPU, in order',
    );
    const titles = timed ? ['Dispatch', 'ms', 'Share'] : ['Dispatch'];
    const head = titles.map((title) => Object.assign(create('th', {}, title), { scope: 'col' }));
    const body = rows.map((row) => create('tr', {}, nameOf(row), ...(timed ? timeOf(row, total) : [])));
    this.#place.replaceChildren(
      create('table', {}, caption, create('thead', {}, create('tr', {}, ...head)), create('tbody', {}, ...body)),
    );
  }
}

/** Measures steps of a second network with the same settings, so that the trained network does not change. */
async function measure(gpu: Gpu, mnist: Mnist, settings: Settings): Promise<Measurement> {
  const model = await makeModel(gpu, settings);
  try {
    const trainer = await makeTrainer(model, settings);
    const { inputs, classes } = randomBatch(mnist, settings.batch);
    const stepsWithin = async (milliseconds: number): Promise<number> => {
      const end = performance.now() + milliseconds;
      let steps = 0;
      do {
        await trainer.step(inputs, classes);
        await trainer.loss();
        steps++;
      } while (performance.now() < end);
      return steps;
    };
    await stepsWithin(WARM_UP_MS);
    let steps = 0;
    const profile = await gpu.profile(async () => {
      steps = await stepsWithin(MEASURE_MS);
    });
    return { steps, rows: trainer.plan.dispatches.map((planned) => ({ ...planned, ...timeIn(profile, planned) })) };
  } finally {
    model.dispose();
  }
}

/** Time of a dispatch. Dispatches of a plan that differ only in their tensors share one time. */
function timeIn({ dispatches }: Profile, { label, variant }: PlannedDispatch): Pick<Row, 'milliseconds'> {
  const same = dispatches.filter((dispatch) => dispatch.label === label);
  // A faster program may have replaced the planned one during the measurement.
  return { milliseconds: (same.find((dispatch) => dispatch.variant === variant) ?? same[0])?.milliseconds ?? null };
}

function nameOf({ phase, kernel, label, variant, flops, bytes, milliseconds }: Row): HTMLTableCellElement {
  const facts = [phase];
  if (variant !== kernel) facts.push(variant);
  // Shown only for dispatches that compute more than they move data.
  if (milliseconds && flops > bytes) facts.push(`${(flops / milliseconds / 1e6).toPrecision(3)} GFLOP/s`);
  return create('th', { scope: 'row' }, label, create('span', { className: 'hint' }, facts.join(', ')));
}

function timeOf({ milliseconds }: Row, total: number): HTMLTableCellElement[] {
  const share = total > 0 ? (milliseconds ?? 0) / total : 0;
  const fill = create('span', { className: 'bar-fill' });
  fill.style.transform = `scaleX(${share})`;
  const bar = create('span', { className: 'bar' }, fill);
  return [
    create('td', {}, milliseconds === null ? '–' : write(milliseconds)),
    create('td', {}, create('span', { className: 'share' }, writeShare(share), bar)),
  ];
}

const writeShare = (share: number): string => (share > 0 && share < 0.01 ? '<1%' : roughPercent(share));
const write = (milliseconds: number): string => milliseconds.toFixed(3);
