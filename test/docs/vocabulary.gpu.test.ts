import { expect, test } from 'vitest';
import page from '../../docs/vocabulary.md?raw';
import * as library from '../../src/index.js';
import {
  type Activation,
  adagrad,
  dense,
  type Layer,
  type Loss,
  type Maxout,
  Mlp,
  meanSquaredError,
  type Optimizer,
  softmaxCrossEntropy,
  type Trainer,
  type TrainerOptions,
} from '../../src/index.js';
import { activationNames } from '../../src/kernels/activations.js';
import type { Normalization } from '../../src/model/normalization.js';
import type { AnyMetric } from '../../src/nn/metrics/metric.js';
import { sharedGpu } from '../support/gpu.js';
import { codeBlocks } from '../support/markdown.js';

/** A row of a table of the page: its example, as JavaScript, and the dispatches that it says it adds. */
interface Row {
  readonly example: string;
  readonly dispatches: number;
}

/** The table under a heading. */
function rowsOf(heading: string): Row[] {
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  const [body = ''] = section.split('\n## ');
  const lines = body.split('\n').filter((line) => line.startsWith('| `'));
  if (lines.length === 0) throw new Error(`docs/vocabulary.md has no table under "${heading}".`);
  return lines.map((line) => {
    const cells = line.replaceAll('\\|', '¦').split('|').slice(1, -1);
    return { example: cells[0]?.trim().slice(1, -1) ?? '', dispatches: Number(cells.at(-1)) };
  });
}

/** An example, run with the library's names. */
function evaluated<T>(example: string): T {
  const names = Object.keys(library);
  const make = new Function(...names, `return (${example});`) as (...values: unknown[]) => T;
  return make(...Object.values(library));
}

const OUTPUTS = 3;
// Not sgd, which may be part of the products that compute its gradients.
const plain = { loss: softmaxCrossEntropy(), optimizer: adagrad(), batchSize: 8 };

/** Dispatches of a step, for a network that is too large to be a single one. */
async function countOf(
  layers: readonly Layer[] = [],
  options: Partial<TrainerOptions<AnyMetric>> = {},
): Promise<{ readonly all: number; readonly labels: readonly string[] }> {
  const around = [dense(600, 'tanh'), ...layers, dense(OUTPUTS)];
  using model = await Mlp.create(await sharedGpu(), { inputs: 8, layers: around });
  using trainer: Trainer<AnyMetric> = await model.trainer<AnyMetric>({ ...plain, ...options });
  const { dispatches } = trainer.plan;
  return { all: dispatches.length, labels: dispatches.map(({ label }) => label) };
}

const added = async (...of: Parameters<typeof countOf>): Promise<number> =>
  (await countOf(...of)).all - (await countOf()).all;

/** The plain loss with label smoothing, which no fusion takes. */
const apart = softmaxCrossEntropy({ labelSmoothing: 0.1 });

/** Dispatches that a value records, before anything is fused. */
function recording<T extends Loss | Optimizer>(value: T): { readonly counting: T; readonly count: () => number } {
  let count = 0;
  const record = (plan: { add(dispatch: unknown): void }, ...rest: unknown[]): void => {
    const watched = new Proxy(plan, {
      get(target, name) {
        if (name === 'add') count += 1;
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    Reflect.apply(value.record, value, [watched, ...rest]);
  };
  return { counting: { ...value, record }, count: () => count };
}

test.for(rowsOf('Layers'))('layer $example adds $dispatches', async ({ example, dispatches }) => {
  expect(await added([evaluated<Layer>(example)])).toBe(dispatches);
});

test.for(rowsOf('Activations'))('activation $example adds $dispatches', async ({ example, dispatches }) => {
  const activation = evaluated<Activation | Maxout>(example);
  expect((await added([dense(64, activation)])) - (await added([dense(64)]))).toBe(dispatches);
});

test('an activation at the end adds one, but where the loss contains it', async () => {
  const ending = async (activation: Activation | 'softmax', loss: Loss): Promise<number> => {
    using model = await Mlp.create(await sharedGpu(), { inputs: 8, layers: [dense(600), dense(OUTPUTS, activation)] });
    using trainer = await model.trainer({ ...plain, loss });
    return trainer.plan.dispatches.length;
  };
  const [softmax, binary, squares] = [softmaxCrossEntropy(), library.binaryCrossEntropy(), meanSquaredError()];
  expect(await ending('softmax', softmax)).toBe(await ending('linear', softmax));
  expect(await ending('sigmoid', binary)).toBe(await ending('linear', binary));
  expect(await ending('sigmoid', squares)).toBe((await ending('linear', squares)) + 1);
});

test.for(rowsOf('Losses'))('loss $example is $dispatches', async ({ example, dispatches }) => {
  const { counting, count } = recording(evaluated<Loss>(example));
  await countOf([], { loss: counting });
  expect(count()).toBe(dispatches);
});

test.for(rowsOf('Optimizers'))('optimizer $example is $dispatches', async ({ example, dispatches }) => {
  const { counting, count } = recording(evaluated<Optimizer>(example));
  const { all, labels } = await countOf([], { optimizer: counting });
  const fused = labels.some((label) => label.startsWith('weight-update'));
  expect(all).toBe((await countOf()).all - (fused ? dispatches : 0));
  expect(count()).toBe(dispatches);
});

test.for(rowsOf('Between gradients and update'))('$example adds $dispatches', async ({ example, dispatches }) => {
  expect(await added([], evaluated<Partial<TrainerOptions>>(`{ ${example} }`))).toBe(dispatches);
});

test.for(rowsOf('Metrics'))('metric $example adds $dispatches', async ({ example, dispatches }) => {
  const metric = evaluated<AnyMetric>(example);
  const loss = metric.unfit({ outputs: OUTPUTS, link: 'softmax' }) === undefined ? apart : meanSquaredError();
  const without = await countOf([], { loss });
  const alone = await countOf([], { loss, metrics: [metric] });
  expect(alone.all - without.all).toBe(dispatches);
});

test('metrics that are said to share a count do', async () => {
  const { confusionMatrix, precision, recall, f1, r2, mae } = library;
  const addedTo = async (loss: Loss, metrics: readonly AnyMetric[]): Promise<number> =>
    (await countOf([], { loss, metrics })).all - (await countOf([], { loss })).all;
  const classes = [confusionMatrix(), precision(), recall(), f1()];
  expect(await addedTo(apart, classes)).toBe(1);
  expect(await addedTo(meanSquaredError(), [r2(), mae()])).toBe(1);
  // Where last layer, loss and first dX are one dispatch without a count, it makes three of them.
  const { labels } = await countOf();
  const head = labels.some((label) => label.startsWith('dense-head'));
  expect(await addedTo(plain.loss, classes)).toBe(head ? 3 : 1);
});

test.for(rowsOf('Schedules'))('schedule $example gives rates', ({ example }) => {
  const { rate } = evaluated<library.Schedule>(example);
  expect(rate(0.1, { epoch: 0, step: 0, steps: 10 }, undefined)).toBeGreaterThan(0);
});

test.for(rowsOf('Initializers'))('initializer $example', async ({ example }) => {
  const initializer = evaluated<library.Initializer>(example);
  using model = await Mlp.create(await sharedGpu(), { inputs: 4, layers: [dense(3, 'relu', { initializer })] });
  const [layer] = model.spec.layers;
  expect(layer?.initializer).toMatchObject(typeof initializer === 'string' ? {} : initializer);
});

test.for(rowsOf('Normalisation of inputs'))('normalize: $example', async ({ example }) => {
  const normalize = evaluated<Normalization>(example);
  const gpu = await sharedGpu();
  const count = async (given?: Normalization): Promise<number> => {
    const layers = [dense(600, 'tanh'), dense(OUTPUTS)];
    using model = await Mlp.create(gpu, { inputs: 4, layers, ...(given !== undefined && { normalize: given }) });
    using trainer = await model.trainer(plain);
    return trainer.plan.dispatches.length;
  };
  expect(await count(normalize)).toBe((await count()) + (example.includes('[') ? 1 : 0));
});

test('the block for images runs as it is printed', async () => {
  const [block = ''] = codeBlocks(page, 'ts');
  const images = Uint8Array.from({ length: 784 * 20 }, (_, i) => i % 256);
  const labels = Array.from({ length: 20 }, (_, i) => i % 10);
  const { Dataset } = library;
  const given = { gpu: await sharedGpu(), Dataset, Mlp, dense, images, labels };
  const text = `return (async () => { ${block}\nreturn { digits, model, probabilities }; })();`;
  const make = new Function(...Object.keys(given), text) as (...values: unknown[]) => Promise<{
    readonly digits: library.Dataset;
    readonly model: Mlp;
    readonly probabilities: Float32Array;
  }>;
  const { digits, model, probabilities } = await make(...Object.values(given));
  expect({ length: digits.length, classes: digits.classCount }).toEqual({ length: 20, classes: 10 });
  using trainer = await model.trainer(plain);
  await trainer.fit(digits, { epochs: 1 });
  expect(probabilities.length).toBe(20 * 10);
  model.dispose();
  digits.dispose();
});

test('everything that the library has of these kinds is on the page', () => {
  const values = Object.entries(library).flatMap(([name, value]) =>
    typeof value === 'function' && /^[a-z]/.test(name) ? [name] : [],
  );
  const known = [...values, ...activationNames.filter((name) => name !== 'geluTanh')];
  expect(known.filter((name) => !new RegExp(`[\`']${name}[('\`]|[ (]${name}\\(`).test(page))).toEqual([]);
});
