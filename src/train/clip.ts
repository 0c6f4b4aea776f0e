import { assertOption } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { gradientNorm, normSums } from '../kernels/gradient-norm.js';
import type { Adjustment, MaskedPenalties, Regularization } from '../kernels/update.js';
import type { Model } from '../model/model.js';
import type { PlanBuilder } from '../plan/builder.js';
import { type Tensor, upload } from '../plan/tensor.js';

/**
 * A limit for the gradients, including penalties: exactly one of `norm` and `value`, a positive number.
 * @example const trainer = await model.trainer({ loss, optimizer, batchSize: 128, clip: { norm: 1 } });
 */
export type Clip =
  | {
      /** Maximum Euclidean norm of all gradients together: they are multiplied by min(1, norm / ‖gradients‖₂). */
      readonly norm: number;
    }
  | {
      /** Maximum magnitude of a gradient: each is clamped to [−value, value]. */
      readonly value: number;
    };

const CLIP_NAMES: OptionNames<Clip> = { norm: 1, value: 1 };
const PENALTY_NAMES: OptionNames<Regularization> = { l1: 1, l2: 1 };

/** Penalties and clipping: the changes of the gradients before the update. */
export interface GradientRules {
  /** Records the dispatches that must run before the update, and returns the changes that the update itself makes. */
  record(plan: PlanBuilder, gradients: Tensor): Adjustment;
  dispose(): void;
}

/**
 * Checks penalties and clipping, and uploads the parameter mask that they need.
 * @throws {MlpError} `bad-option` if a number is out of range; nothing is allocated
 */
export function gradientRules(model: Model, clip: Clip | undefined, penalties: Regularization = {}): GradientRules {
  const { l1 = 0, l2 = 0 } = checkOptions('trainer: penalties', penalties, PENALTY_NAMES);
  assertOption('trainer: penalties with', { l1, l2 }, 'a finite number >= 0');
  const limit = clip === undefined ? undefined : checkClip(clip);
  const parameterMask = uploadParameterMask(model);
  const common = { penalties: { l1, l2 }, parameterMask };
  return {
    record(plan, gradients) {
      if (limit === undefined || 'value' in limit) return { ...common, clip: limit };
      return { ...common, clip: { scale: recordScale(plan, model, gradients, limit.norm, common) } };
    },
    dispose: () => parameterMask.dispose(),
  };
}

/**
 * Records the scale of the gradients: min(1, maximum / norm), where the norm includes penalties.
 * @returns (2): two factors whose product is the scale
 */
function recordScale(
  plan: PlanBuilder,
  { flatParameters }: Model,
  gradients: Tensor,
  maximum: number,
  adjustment: MaskedPenalties,
): Tensor {
  const sums = plan.tensor('sums of squares', [normSums(gradients.length), 2]);
  const scale = plan.tensor('scale', [2]);
  for (const dispatch of gradientNorm(gradients, flatParameters, sums, scale, maximum, adjustment)) plan.add(dispatch);
  return scale;
}

/** Uploads the mask that tells `recordScale` and updates which elements of the flat tensor are parameters. */
export function uploadParameterMask(model: Model): Tensor<'u32'> {
  return upload<'u32'>(model.device, parameterMaskOf(model), [model.flatParameters.length / 32, 2], 'parameter mask');
}

/** Checks a limit, and leaves out what is undefined. @throws {MlpError} `bad-option` */
function checkClip(clip: Clip): Clip {
  const given = Object.entries(checkOptions('trainer: clip', clip, CLIP_NAMES)).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length !== 1) throw new MlpError('bad-option', 'trainer: clip must be either { norm } or { value }.');
  const limit = Object.fromEntries(given);
  assertOption('trainer: clip with', limit, 'a positive float32 number');
  return limit as Clip;
}

/**
 * (elements / 32, 2): two words for each 32 elements of the flat tensor. A bit of the first word is set if the element
 * is a trained parameter; a bit of the second, if it is in a weight matrix.
 */
function parameterMaskOf({ parameters, flatParameters }: Model): Uint32Array<ArrayBuffer> {
  const mask = new Uint32Array(flatParameters.length / 16);
  for (const { shape, start, length } of parameters.filter(({ trained }) => trained)) {
    for (let i = start; i < start + length; i++) {
      const word = 2 * Math.floor(i / 32);
      const bit = 1 << (i % 32);
      mask[word] = (mask[word] ?? 0) | bit;
      if (shape.length > 1) mask[word + 1] = (mask[word + 1] ?? 0) | bit;
    }
  }
  return mask;
}
