import { assertOption } from '../base/check.js';
import { MlpError } from '../base/errors.js';
import { gradientNorm, normSums } from '../kernels/gradient-norm.js';
import type { Adjustment, MaskedPenalties, Regularization } from '../kernels/update.js';
import type { Model } from '../model/model.js';
import type { PlanBuilder } from '../plan/builder.js';
import { type Tensor, upload } from '../plan/tensor.js';

/** `norm`: all gradients are scaled so that their Euclidean norm is at most that. `value`: each is clamped to ±value. */
export type Clip = { readonly norm: number } | { readonly value: number };

/** What a trainer does to gradients before the optimizer takes them. */
export interface GradientRules {
  /** Records what is to be done before the update, and says what is left to it. */
  record(plan: PlanBuilder, gradients: Tensor): Adjustment;
  dispose(): void;
}

/**
 * Penalties and clipping as a step records them.
 * @throws {MlpError} `bad-option` for a number outside of its range, before anything is allocated
 */
export function gradientRules(model: Model, clip: Clip | undefined, penalties: Regularization = {}): GradientRules {
  const names = Object.keys(Object(penalties));
  if (typeof penalties !== 'object' || penalties === null || names.some((name) => name !== 'l1' && name !== 'l2')) {
    throw new MlpError('bad-option', 'trainer: penalties must be { l1 }, { l2 } or both.');
  }
  const { l1 = 0, l2 = 0 } = penalties;
  assertOption('trainer: penalties with', { l1, l2 }, 'a finite number ≥ 0');
  if (clip !== undefined) checkClip(clip);
  const parameterMask = uploadParameterMask(model);
  const common = { penalties: { l1, l2 }, parameterMask };
  return {
    record(plan, gradients) {
      if (clip === undefined || 'value' in clip) return { ...common, clip };
      return { ...common, clip: { scale: recordScale(plan, model, gradients, clip.norm, common) } };
    },
    dispose: () => parameterMask.dispose(),
  };
}

/**
 * Records what gradients must be multiplied by for their norm to be at most `maximum`.
 * @returns (2): two factors, whose product it is
 */
export function recordScale(
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

/** Uploads the mask of the parameters in the flat tensor, as `recordScale` and updates take it. */
export function uploadParameterMask(model: Model): Tensor<'u32'> {
  return upload<'u32'>(model.device, parameterMaskOf(model), [model.flatParameters.length / 32, 2], 'parameter mask');
}

function checkClip(clip: Clip): void {
  const entries = Object.entries(Object(clip));
  const [name] = entries.map(([key]) => key);
  if (entries.length !== 1 || (name !== 'norm' && name !== 'value')) {
    throw new MlpError('bad-option', 'trainer: clip must be { norm } or { value }, one of them.');
  }
  assertOption('trainer: clip with', { ...clip }, 'a positive float32 number');
}

/** Of each 32 elements of the flat tensor, a bit for each of a parameter, and one for each of a weight matrix. */
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
