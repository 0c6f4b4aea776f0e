import { assertOption, assertSignal } from '../../base/check.js';
import { checkOptions, type OptionNames } from '../../base/options.js';
import { Owner } from '../../base/owner.js';
import { Random } from '../../base/random.js';
import { shiftParameters } from '../../kernels/shift-parameters.js';
import type { Model } from '../../model/model.js';
import { PlanBuilder } from '../../plan/builder.js';
import { verified } from '../../plan/device.js';
import { PER_STEP } from '../../plan/dispatch.js';
import { StepRecords } from '../../plan/step-records.js';
import { Tensor, upload } from '../../plan/tensor.js';

/** Records of a submit. */
const ONE_STEP = 1;

/**
 * Options of `Trainer.lossSurface`.
 * @example const surface = await trainer.lossSurface(test, { points: 11, radius: 0.5, seed: 1 });
 */
export interface LossSurfaceOptions {
  /**
   * Number of points along each direction: a positive integer. An odd number puts a point at the parameters. Default:
   * 21.
   * Example: `points: 21`.
   */
  readonly points?: number | undefined;
  /**
   * Distance of the outermost points, as a multiple of the norm of each unit's weights: a number ≥ 0. Default: 1.
   * Example: `radius: 0.5`.
   */
  readonly radius?: number | undefined;
  /** Seed for the two random directions: an integer ≥ 0. Default: 0. Example: `seed: 1`. */
  readonly seed?: number | undefined;
  /**
   * Stops before the next point. The promise then rejects with the reason of the signal. Default: none.
   * Example: `signal: controller.signal`.
   */
  readonly signal?: AbortSignal | undefined;
}

const NAMES: OptionNames<LossSurfaceOptions> = { points: 1, radius: 1, seed: 1, signal: 1 };

/** The loss on a plane through the parameters of a model. The model itself is at x = 0, y = 0. */
export interface LossSurface {
  /** Coordinates of the points along the first direction, from −radius to radius. */
  readonly x: readonly number[];
  /** Coordinates of the points along the second direction, from −radius to radius. */
  readonly y: readonly number[];
  /** (x.length, y.length): `loss[i][j]` is the mean loss at x[i] and y[j]. */
  readonly loss: readonly (readonly number[])[];
}

/**
 * Computes the mean loss at w + x·U + y·V, for two random directions U and V with filter normalisation: the incoming
 * weights of a unit have the same Euclidean norm in a direction as in w, so that surfaces of different networks can be
 * compared. Biases and other vectors do not move. The parameters are restored at the end. Source: Li et al. 2018,
 * "Visualizing the Loss Landscape of Neural Nets".
 * @param lossOf computes the mean loss with the current parameters of the model
 */
export async function lossSurface(
  model: Model,
  lossOf: () => Promise<number>,
  options: LossSurfaceOptions,
): Promise<LossSurface> {
  const { points = 21, radius = 1, seed = 0, signal } = checkOptions('lossSurface', options, NAMES);
  assertSignal('lossSurface:', signal);
  assertOption('lossSurface:', { points }, 'a positive integer');
  assertOption('lossSurface:', { radius }, 'a finite number >= 0');
  assertOption('lossSurface:', { seed }, 'an integer >= 0', 'bad-seed');
  const { device, flatParameters } = model;
  const axis = Array.from({ length: points }, (_, i) =>
    points === 1 ? 0 : Math.fround(radius * ((2 * i) / (points - 1) - 1)),
  );
  const start = await flatParameters.read();
  model.check();
  const random = new Random(seed);
  const owner = new Owner();
  const like = (data: Float32Array<ArrayBuffer>, label: string): Tensor =>
    owner.own(upload<'f32'>(device, data, flatParameters.shape, label));
  const allocate = (): Parameters<typeof shiftParameters>[1] & { readonly records: StepRecords } => ({
    base: like(start, 'base'),
    U: like(direction(model, start, random), 'U'),
    V: like(direction(model, start, random), 'V'),
    points: owner.own(
      Tensor.from(
        device,
        axis.flatMap((x) => axis.flatMap((y) => [x, y])),
        [points * points, 2],
        'points',
      ),
    ),
    records: owner.own(new StepRecords(device, ONE_STEP)),
  });
  try {
    return await verified(device.guard('lossSurface', allocate), async ({ records, ...plane }) => {
      const builder = new PlanBuilder();
      builder.add(shiftParameters(flatParameters, plane, PER_STEP));
      const plan = owner.own(await builder.compile(device, 'lossSurface', records));
      const loss: number[][] = [];
      for (let index = 0; index < points * points; index++) {
        signal?.throwIfAborted();
        model.check();
        plan.run('lossSurface', [{ first: 0, rows: 0, index, learning_rate: 0 }]);
        if (index % points === 0) loss.push([]);
        loss.at(-1)?.push(await lossOf());
      }
      return { x: axis, y: axis, loss };
    });
  } finally {
    if (!model.parts.disposed) flatParameters.write(start);
    owner.dispose();
  }
}

/** Draws a random direction in which the incoming weights of each unit have the same Euclidean norm as in the model. */
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
