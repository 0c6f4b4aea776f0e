import { assertOption } from '../../base/check.js';
import { DataError } from '../../base/errors.js';
import { Random } from '../../base/random.js';
import { table } from '../../base/text-table.js';
import type { Dataset } from '../../data/dataset.js';
import { columnExtremes } from '../../kernels/extremes.js';
import { histogram } from '../../kernels/histogram.js';
import { shiftParameters } from '../../kernels/shift-parameters.js';
import { type Model, rowSource } from '../../model/model.js';
import { everyLayer } from '../../model/placement.js';
import { PlanBuilder } from '../../plan/builder.js';
import { type Dispatch, PER_STEP } from '../../plan/dispatch.js';
import type { BufferCopy } from '../../plan/memory.js';
import { StepRecords } from '../../plan/step-records.js';
import { Tensor, upload } from '../../plan/tensor.js';
import { kindsTensor, recordScale } from '../clip.js';
import { recordTraining, type Training } from '../step.js';

export interface DiagnoseOptions {
  /** Bins of a histogram; 32 by default. */
  readonly bins?: number;
  /** How many of the samples with the largest losses are named; 16 by default. */
  readonly worst?: number;
}

/** How many values are in each of equal parts of the range from the smallest to the largest of them. */
export interface Histogram {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

export interface LayerDiagnosis {
  readonly layer: number;
  readonly type: string;
  readonly units: number;
  /** Units whose output is the same for every sample: no sample changes what they pass on, or their weights. */
  readonly deadUnits: readonly number[];
  /** Of the layer's outputs. */
  readonly activations: Histogram;
  /** Of ∂loss/∂parameter over all minibatches; none for a layer without parameters. */
  readonly gradients?: Histogram;
}

/** What a network makes of a data set, and what it would learn from it. `toString()` is a table. */
export interface Diagnosis {
  /** Mean over the samples. */
  readonly loss: number;
  /** ‖∂loss/∂parameters‖₂ of the minibatches. */
  readonly gradientNorm: { readonly mean: number; readonly largest: number };
  readonly layers: readonly LayerDiagnosis[];
  /** The samples that the network gets most wrong, by their place in the arrays that the data set was made of. */
  readonly worst: readonly { readonly index: number; readonly loss: number }[];
}

/** The largest float32. */
const HUGE = 3.4028234663852886e38;
const ONE_STEP = 1;
/** Gradients are as if clipped to a norm that all but nothing exceeds: the norm then follows from the scale. */
const LITTLE = 2 ** -60;

/**
 * Looks at every sample in the data set's order, as training would, and changes nothing: once for losses and ranges, once
 * for the histograms.
 */
export async function diagnose(
  training: Training,
  dataset: Dataset,
  { bins = 32, worst = 16 }: DiagnoseOptions,
): Promise<Diagnosis> {
  assertOption('diagnose:', { bins }, 'a positive integer');
  assertOption('diagnose:', { worst }, 'an integer ≥ 0');
  const { device, layers } = training.model;
  const tensors: Tensor<'f32' | 'u32'>[] = [];
  try {
    const found: { readonly subject: Subject; readonly extremes: readonly Tensor[] }[] = [];
    const { losses, norms } = await sweep(training, dataset, (subject) => {
      const extremes = subject.values.map(({ shape: [, columns = 1] }) => {
        const start = Float32Array.from({ length: 2 * columns }, (_, i) => (i < columns ? HUGE : -HUGE));
        return upload<'f32'>(device, start, [2, columns], 'extremes');
      });
      tensors.push(...extremes);
      found.push({ subject, extremes });
      return extremes.map((tensor, i) => columnExtremes(subject.values[i] ?? tensor, tensor, subject.step));
    });
    const ranges = await Promise.all(
      found.map(async ({ extremes }) => await Promise.all(extremes.map(async (tensor) => await tensor.read()))),
    );
    const counts: Tensor<'u32'>[] = [];
    await sweep(training, dataset, ({ values, step }) => {
      const tensor = Tensor.empty(device, [bins], 'counts', 'u32');
      tensors.push(tensor);
      const [low, high] = rangeOf(ranges[counts.push(tensor) - 1]);
      // All the values are the same: they are in the first bin of a range that has some width.
      const range = [low, high > low ? high : low + Math.max(1, Math.abs(low))] as const;
      return values.map((each) => histogram(each, tensor, range, step));
    });
    const histograms = await Promise.all(
      counts.map(async (tensor, number): Promise<Histogram> => {
        const [low, high] = rangeOf(ranges[number]);
        return { low, high, counts: [...(await tensor.read())] };
      }),
    );
    const of = (kind: Subject['kind'], layer: number): number =>
      found.findIndex(({ subject }) => subject.kind === kind && subject.layer === layer);
    const total = losses.reduce((sum, loss) => sum + loss, 0);
    const diagnosis: Diagnosis = {
      loss: total / losses.length,
      gradientNorm: {
        mean: norms.reduce((sum, norm) => sum + norm, 0) / norms.length,
        largest: Math.max(...norms),
      },
      layers: layers.map(({ layer: { spec } }, layer) => {
        const outputs = of('activations', layer);
        const gradients = histograms[of('gradients', layer)];
        const [extremes = new Float32Array(0)] = ranges[outputs] ?? [];
        const units = extremes.length / 2;
        return {
          layer,
          type: spec.type,
          units,
          deadUnits: Array.from({ length: units }, (_, unit) => unit).filter(
            (unit) => extremes[unit] === extremes[units + unit],
          ),
          activations: histograms[outputs] ?? { low: 0, high: 0, counts: [] },
          ...(gradients && { gradients }),
        };
      }),
      worst: [...losses.keys()]
        .sort((a, b) => (losses[b] ?? 0) - (losses[a] ?? 0))
        .slice(0, worst)
        .map((index) => ({ index: dataset.rows[index] ?? index, loss: losses[index] ?? 0 })),
    };
    return Object.assign(diagnosis, { toString: () => printed(diagnosis) });
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

/** What is looked at: a layer's outputs, of which `step` says how many rows count, or its gradients, and of layers in it. */
interface Subject {
  readonly layer: number;
  readonly kind: 'activations' | 'gradients';
  /** Each (rows, columns). */
  readonly values: readonly Tensor[];
  readonly step?: typeof PER_STEP;
}

/** Computes loss and gradients of every batch, with a dispatch behind it for each subject. */
async function sweep(
  training: Training,
  dataset: Dataset,
  look: (subject: Subject) => readonly Dispatch[],
): Promise<{ readonly losses: Float32Array; readonly norms: readonly number[] }> {
  const { model, batch, results } = training;
  const { device } = model;
  const { resident, rows: own } = dataset;
  if (resident === undefined) {
    throw new DataError('diagnose: the data set is streamed. Pass one that fits on the GPU, such as a part of it.');
  }
  const source = rowSource(model, resident.inputs, resident.labels, own);
  const steps = Math.ceil(dataset.length / batch);
  const losses = Tensor.empty(device, [dataset.length], 'losses');
  const scales = Tensor.empty(device, [steps, 2], 'scales');
  const kinds = kindsTensor(model);
  const records = new StepRecords(device, ONE_STEP);
  const parts: { dispose(): void }[] = [source.order, losses, scales, records, kinds];
  try {
    const { builder, gradients, outputs } = recordTraining(training, source, 'gradients');
    builder.phase('diagnose');
    for (const [layer, placed] of model.layers.entries()) {
      const output = outputs[layer];
      const learned = everyLayer([placed]).filter(({ values }) => values.length > 0);
      const subjects: Subject[] = [
        { layer, kind: 'activations', values: output === undefined ? [] : [output], step: PER_STEP },
        {
          layer,
          kind: 'gradients',
          values: learned.map(({ values: { start, length } }) => gradients.view(start, [1, length])),
        },
      ];
      for (const subject of subjects) {
        if (subject.values.length > 0) for (const dispatch of look(subject)) builder.add(dispatch);
      }
    }
    const scale = recordScale(builder, model, gradients, LITTLE, { kinds });
    builder.keep(scale);
    const plan = await builder.compile(device, 'diagnose', records);
    parts.push(plan);
    for (let number = 0; number < steps; number++) {
      const first = number * batch;
      const rows = Math.min(batch, dataset.length - first);
      const found = results.evaluation.losses;
      const copies = [copyOf(found, 0, losses, first, rows), copyOf(scale, 0, scales, 2 * number, 2)];
      plan.run('diagnose', [{ first, rows, index: number, learning_rate: 0 }], copies);
    }
    const [ofSamples, ofSteps] = await Promise.all([losses.read(), scales.read()]);
    const norms = Array.from({ length: steps }, (_, step) => {
      const factor = (ofSteps[2 * step] ?? 1) * (ofSteps[2 * step + 1] ?? 1);
      return factor >= 1 ? 0 : LITTLE / factor;
    });
    return { losses: ofSamples, norms };
  } finally {
    for (const part of parts) part.dispose();
  }
}

/** A copy of float32 elements between tensors. */
const copyOf = (from: Tensor, start: number, to: Tensor, toStart: number, count: number): BufferCopy => ({
  from: from.buffer,
  fromOffset: from.byteOffset + 4 * start,
  to: to.buffer,
  toOffset: to.byteOffset + 4 * toStart,
  byteLength: 4 * count,
});

/** The smallest and the largest of all columns. @param extremes each (2, columns) */
function rangeOf(extremes: readonly Float32Array[] = []): readonly [number, number] {
  let [low, high] = [HUGE, -HUGE];
  for (const each of extremes) {
    const half = each.length / 2;
    for (const value of each.subarray(0, half)) low = Math.min(low, value);
    for (const value of each.subarray(half)) high = Math.max(high, value);
  }
  return [low, high];
}

function printed({ loss, gradientNorm, layers, worst }: Diagnosis): string {
  const range = ({ low, high }: Histogram): string => `${low.toPrecision(3)} to ${high.toPrecision(3)}`;
  const rows = layers.map(({ layer, type, units, deadUnits, activations, gradients }) => [
    `${layer}`,
    type,
    `${deadUnits.length} of ${units}`,
    range(activations),
    gradients === undefined ? '' : range(gradients),
  ]);
  return [
    table(['layer', 'type', 'dead units', 'activations', 'gradients'], rows),
    `loss ${loss.toPrecision(4)}; gradient norm ${gradientNorm.mean.toPrecision(3)}, at most ${gradientNorm.largest.toPrecision(3)}`,
    `worst samples: ${worst.map(({ index, loss: own }) => `${index} (${own.toPrecision(3)})`).join(', ')}`,
  ].join('\n');
}

export interface LossSurfaceOptions {
  /** Points along each direction; 21 by default. An odd number has the parameters themselves in the middle. */
  readonly points?: number;
  /** How far the outermost points are, as a multiple of the weights' own length; 1 by default. */
  readonly radius?: number;
  /** Decides the directions. */
  readonly seed?: number;
  /** Stops before the next point; the promise then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** The loss over a slice of the space of parameters. */
export interface LossSurface {
  /** How far along the first and the second direction. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** `loss[i][j]` is that at x[i] and y[j]. */
  readonly loss: readonly (readonly number[])[];
}

/**
 * The mean loss at w + x·d + y·e, for two random directions that are normalised filter by filter: each unit's incoming weights
 * move as far as they are long, so that slices of different networks can be compared. Biases and other vectors stay.
 * Source: Li et al. 2018, "Visualizing the Loss Landscape of Neural Nets". The model has its parameters back at the end.
 * @param lossOf the mean loss of the parameters that the model has now
 */
export async function lossSurface(
  model: Model,
  lossOf: () => Promise<number>,
  { points = 21, radius = 1, seed = 0, signal }: LossSurfaceOptions,
): Promise<LossSurface> {
  assertOption('lossSurface:', { points }, 'a positive integer');
  assertOption('lossSurface:', { radius }, 'a finite number ≥ 0');
  assertOption('lossSurface:', { seed }, 'an integer ≥ 0', 'bad-seed');
  const { device, values } = model;
  const axis = Array.from({ length: points }, (_, i) =>
    points === 1 ? 0 : Math.fround(radius * ((2 * i) / (points - 1) - 1)),
  );
  const start = await values.read();
  const random = new Random(seed);
  const like = (data: Float32Array<ArrayBuffer>, label: string): Tensor =>
    upload<'f32'>(device, data, values.shape, label);
  const grid = Tensor.from(
    device,
    axis.flatMap((x) => axis.flatMap((y) => [x, y])),
    [points * points, 2],
    'points',
  );
  const plane = {
    base: like(start, 'base'),
    U: like(direction(model, start, random), 'U'),
    V: like(direction(model, start, random), 'V'),
    points: grid,
  };
  const records = new StepRecords(device, ONE_STEP);
  const parts: { dispose(): void }[] = [...Object.values(plane), records];
  try {
    const builder = new PlanBuilder();
    builder.add(shiftParameters(values, plane, PER_STEP));
    const plan = await builder.compile(device, 'lossSurface', records);
    parts.push(plan);
    const loss: number[][] = [];
    for (let index = 0; index < points * points; index++) {
      signal?.throwIfAborted();
      plan.run('lossSurface', [{ first: 0, rows: 0, index, learning_rate: 0 }]);
      if (index % points === 0) loss.push([]);
      loss.at(-1)?.push(await lossOf());
    }
    return { x: axis, y: axis, loss };
  } finally {
    values.write(start);
    for (const part of parts) part.dispose();
  }
}

/** A random direction in which every unit's incoming weights are as long as those of the model. */
function direction(model: Model, values: Float32Array, random: Random): Float32Array<ArrayBuffer> {
  const flat = new Float32Array(values.length);
  for (const { shape, start } of model.parameters.filter(({ trained }) => trained)) {
    const [rows = 1, columns = 1] = shape;
    if (shape.length !== 2) continue;
    for (let column = 0; column < columns; column++) {
      const places = Array.from({ length: rows }, (_, row) => start + row * columns + column);
      const drawn = places.map(() => random.normal());
      const length = Math.hypot(...places.map((place) => values[place] ?? 0)) / Math.hypot(...drawn);
      for (const [row, place] of places.entries()) flat[place] = (drawn[row] ?? 0) * length;
    }
  }
  return flat;
}
