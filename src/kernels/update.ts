import { ShapeError } from '../base/errors.js';
import { linearGrid } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/** Penalties that are added to the loss: l1·Σ|w| + l2·Σw², over the entries w of weight matrices, not of biases. */
export interface Regularization {
  /** The factor of Σ|w|, ≥ 0. Default: 0. */
  readonly l1?: number | undefined;
  /** The factor of Σw², ≥ 0. Default: 0. */
  readonly l2?: number | undefined;
}

/** @deprecated The earlier name of `Regularization`. */
export type Penalties = Regularization;

/** Penalties, and a mask of the elements that they apply to. */
export interface MaskedPenalties {
  /** The penalties. Default: none. */
  readonly penalties?: Regularization | undefined;
  /**
   * (count/32, 2): two words for each 32 elements. A bit of the first word is 1 if its element belongs to a parameter
   * and is no padding, a bit of the second word is 1 if its element belongs to a weight matrix. Required with
   * penalties. Default: none.
   */
  readonly parameterMask?: Tensor<'u32'> | undefined;
  /** @deprecated The earlier name of `parameterMask`. Default: none. */
  readonly kinds?: Tensor<'u32'> | undefined;
}

/** Changes of the gradients before an update uses them: first penalties are added, then the sum is clipped. */
export interface Adjustment extends MaskedPenalties {
  /** Clamps each gradient to ±value, or multiplies all gradients by a factor. Default: no clipping. */
  readonly clip?:
    | {
        /** The largest absolute value of a gradient, > 0. */
        readonly value: number;
      }
    | {
        /** (2), as `gradientNorm` writes it: the factor is the product of both elements. */
        readonly scale: Tensor;
      }
    | undefined;
}

/** The tensors with which an update watches for parameters that are not finite. */
export type Watch = {
  /** (1 + layers): status[1 + layer] becomes the first step after which a parameter of the layer is not finite. */
  readonly status: Tensor<'u32'>;
} & (
  | {
      /** (count/64): the layer that each block of 64 elements belongs to. */
      readonly layerOfBlock: Tensor<'u32'>;
      /** @deprecated The earlier name of `layerOfBlock`. Default: none. */
      readonly owners?: Tensor<'u32'> | undefined;
    }
  | {
      /** Default: `owners`. */
      readonly layerOfBlock?: undefined;
      /** @deprecated The earlier name of `layerOfBlock`. */
      readonly owners: Tensor<'u32'>;
    }
);

/** The layers of the blocks, by the current or the earlier name. */
export const layerOfBlockOf = (watch: Watch | undefined): Tensor<'u32'> | undefined =>
  watch?.layerOfBlock ?? watch?.owners;

/** Options that all updates share. */
export interface UpdateOptions {
  /**
   * The parameters that the update's weight decay applies to: `'all'`; or `'weights'`, the entries of weight matrices,
   * which needs `adjustment.parameterMask`. Default: `'all'`.
   * Example: `decayOn: 'weights'`.
   */
  readonly decayOn?: 'all' | 'weights' | undefined;
  /** Watches for parameters that are not finite. Default: none. Example: `watch: { status, layerOfBlock }`. */
  readonly watch?: Watch | undefined;
  /** Penalties and clipping. Default: none. Example: `adjustment: { clip: { value: 1 } }`. */
  readonly adjustment?: Adjustment | undefined;
}

/** The parts that the dispatches of all updates share; `shaders/lib/update.wgsl` documents them. */
interface UpdateParts {
  readonly label: string;
  readonly grid: readonly [number, number];
  readonly overrides: {
    readonly WHOLE: boolean;
    readonly CHECKED: boolean;
    readonly CLIP_VALUE: boolean;
    readonly CLIP_NORM: boolean;
    readonly PENALTIES: boolean;
    readonly DECAY_WEIGHTS: boolean;
  };
  /** Fields of the uniform `hyper`. */
  readonly numbers: { readonly count: number; readonly clip: number; readonly l1: number; readonly l2: number };
  readonly buffers: {
    readonly gradients: Tensor;
    readonly parameters: Tensor;
    readonly layerOfBlock: Tensor<'u32'> | undefined;
    readonly status: Tensor<'u32'> | undefined;
    readonly scale: Tensor | undefined;
    readonly parameterMask: Tensor<'u32'> | undefined;
  };
}

/**
 * Checks the tensors of an update, and describes the parts that all updates share.
 * @param state the state of the kernel, if it has one: an element for each parameter, or `rows` rows of ⌈count/4⌉·4
 * elements
 * @throws {ShapeError} if the numbers of elements differ, penalties or the decay have no mask, or a buffer ends before a
 * whole vec4
 */
export function updateParts(
  kernel: string,
  parameters: Tensor,
  gradients: Tensor,
  state: Tensor | undefined,
  { watch, adjustment = {}, decayOn }: UpdateOptions,
  rows?: number,
): UpdateParts {
  const count = parameters.length;
  const wanted = rows === undefined ? count : rows * 4 * Math.ceil(count / 4);
  if (gradients.length !== count) {
    throw new ShapeError(
      `${kernel}: there are ${count} parameters and ${gradients.length} gradients; there must be ${count}.`,
    );
  }
  if (state !== undefined && state.length !== wanted) {
    throw new ShapeError(
      `${kernel}: there are ${count} parameters and ${state.length} elements of "${state.label}"; there must be ${wanted}.`,
    );
  }
  checkVec4s(kernel, [parameters, gradients, ...(state === undefined ? [] : [state])]);
  const { clip } = adjustment;
  const penalties = penaltiesOf(kernel, adjustment);
  const DECAY_WEIGHTS = decayOn === 'weights';
  if (DECAY_WEIGHTS && penalties.parameterMask === undefined) {
    throw new ShapeError(`${kernel}: decayOn = "weights" needs parameterMask.`);
  }
  const scale = clip !== undefined && 'scale' in clip ? clip.scale : undefined;
  const CLIP_VALUE = clip !== undefined && 'value' in clip;
  const adjustments = [clip && 'clipped', penalties.PENALTIES && 'penalised'].filter(Boolean);
  return {
    label: [kernel, count, ...adjustments].join(' '),
    grid: linearGrid(Math.ceil(count / 4)),
    overrides: {
      WHOLE: count % 4 === 0,
      CHECKED: watch !== undefined,
      CLIP_VALUE,
      CLIP_NORM: scale !== undefined,
      PENALTIES: penalties.PENALTIES,
      DECAY_WEIGHTS,
    },
    numbers: { count, clip: CLIP_VALUE ? clip.value : 0, l1: penalties.l1, l2: penalties.l2 },
    buffers: {
      gradients,
      parameters,
      layerOfBlock: layerOfBlockOf(watch),
      status: watch?.status,
      scale,
      parameterMask: penalties.parameterMask,
    },
  };
}

/**
 * Checks that the buffers of tensors do not end within a vec4, since the kernels take four elements at a time.
 * @throws {ShapeError} if one does
 */
export function checkVec4s(kernel: string, tensors: readonly Tensor[]): void {
  for (const { label, length, start, storage } of tensors) {
    if (4 * start + 16 * Math.ceil(length / 4) > storage.byteLength) {
      throw new ShapeError(
        `${kernel}: "${label}" has ${length} elements up to the end of its buffer; make the buffer a multiple of 16 bytes.`,
      );
    }
  }
}

/**
 * The operands of `shaders/lib/penalties.wgsl`: the penalties, with 2·l2 as `l2`, and the mask, by its current or
 * earlier name.
 * @throws {ShapeError} if penalties have no mask
 */
export function penaltiesOf(
  kernel: string,
  { penalties: { l1 = 0, l2 = 0 } = {}, kinds, parameterMask = kinds }: MaskedPenalties,
): {
  readonly PENALTIES: boolean;
  readonly l1: number;
  readonly l2: number;
  readonly parameterMask: Tensor<'u32'> | undefined;
} {
  const PENALTIES = l1 !== 0 || l2 !== 0;
  if (PENALTIES && parameterMask === undefined) throw new ShapeError(`${kernel}: penalties need parameterMask.`);
  return { PENALTIES, l1, l2: 2 * l2, parameterMask };
}
