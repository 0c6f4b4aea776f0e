import { ShapeError } from '../base/errors.js';
import { linearGrid } from '../plan/dispatch.js';
import type { Tensor } from '../plan/tensor.js';

/** l1·Σ|w| + l2·Σw², over the entries of weight matrices, is added to the loss. */
export interface Regularization {
  readonly l1?: number;
  readonly l2?: number;
}

/** @deprecated The earlier name of `Regularization`. */
export type Penalties = Regularization;

/** Penalties, and the elements that they are for. */
export interface MaskedPenalties {
  readonly penalties?: Regularization | undefined;
  /** (count/32, 2): of each 32 elements, a bit for each of a parameter, and a bit for each of a weight matrix. */
  readonly parameterMask?: Tensor<'u32'> | undefined;
  /** @deprecated The earlier name of `parameterMask`. */
  readonly kinds?: Tensor<'u32'> | undefined;
}

/** Changes of the gradients before an update takes them: penalties first, then clipping. */
export interface Adjustment extends MaskedPenalties {
  /** Each gradient is clamped to ±value, or all are multiplied by the factors that `gradientNorm` writes. */
  readonly clip?: { readonly value: number } | { readonly scale: Tensor } | undefined;
}

/** The layer of each `PARAMETER_BLOCK` of elements, and `status`, where an update notes the step after which a layer is not finite. */
export type Watch = { readonly status: Tensor<'u32'> } & (
  | { readonly layerOfBlock: Tensor<'u32'>; readonly owners?: Tensor<'u32'> | undefined }
  /** @deprecated The earlier name of `layerOfBlock`. */
  | { readonly layerOfBlock?: undefined; readonly owners: Tensor<'u32'> }
);

/** The layers of blocks, by either name. */
export const layerOfBlockOf = (watch: Watch | undefined): Tensor<'u32'> | undefined =>
  watch?.layerOfBlock ?? watch?.owners;

/** Options of every update, beside its own numbers. */
export interface UpdateOptions {
  /** Watches for parameters that are not finite. */
  readonly watch?: Watch | undefined;
  readonly adjustment?: Adjustment | undefined;
}

/** The parts that the dispatches of all updates have in common; `shaders/lib/update.wgsl` tells what they are. */
interface UpdateParts {
  readonly label: string;
  readonly grid: readonly [number, number];
  readonly overrides: {
    readonly WHOLE: boolean;
    readonly CHECKED: boolean;
    readonly CLIP_VALUE: boolean;
    readonly CLIP_NORM: boolean;
    readonly PENALTIES: boolean;
  };
  /** Of `hyper`. */
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
 * Checks an update, and describes what it has in common with others.
 * @param state if there is any, as the kernel keeps it: for each parameter one element, or `rows` rows of a whole number of vec4s
 * @throws {ShapeError} if the numbers of elements differ, or a buffer ends before a whole vec4
 */
export function updateParts(
  kernel: string,
  parameters: Tensor,
  gradients: Tensor,
  state: Tensor | undefined,
  { watch, adjustment = {} }: UpdateOptions,
  rows?: number,
): UpdateParts {
  const count = parameters.length;
  const wanted = rows === undefined ? count : rows * 4 * Math.ceil(count / 4);
  if (gradients.length !== count) {
    throw new ShapeError(
      `${kernel}: there are ${count} parameters and ${gradients.length} gradients; gradients must be as many.`,
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
  const scale = clip !== undefined && 'scale' in clip ? clip.scale : undefined;
  const CLIP_VALUE = clip !== undefined && 'value' in clip;
  const what = [clip && 'clipped', penalties.PENALTIES && 'penalised'].filter(Boolean);
  return {
    label: [kernel, count, ...what].join(' '),
    grid: linearGrid(Math.ceil(count / 4)),
    overrides: {
      WHOLE: count % 4 === 0,
      CHECKED: watch !== undefined,
      CLIP_VALUE,
      CLIP_NORM: scale !== undefined,
      PENALTIES: penalties.PENALTIES,
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

/** The kernels take four elements at a time. @throws {ShapeError} */
export function checkVec4s(kernel: string, tensors: readonly Tensor[]): void {
  for (const { label, length, start, storage } of tensors) {
    if (4 * start + 16 * Math.ceil(length / 4) > storage.byteLength) {
      throw new ShapeError(
        `${kernel}: "${label}" has ${length} elements up to the end of its buffer; make the buffer a multiple of 16 bytes.`,
      );
    }
  }
}

/** Penalties as `shaders/lib/penalties.wgsl` takes them, and the mask, by either name. @throws {ShapeError} if there is none */
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
