import { MlpError, ShapeError } from '../base/errors.js';
import type { Shader } from './shader.js';
import type { DType, Tensor } from './tensor.js';

/** Limits of a device that kernels, plans and data sets respect, by WebGPU's names. */
export interface DeviceLimits {
  /** Largest product of a workgroup's three sizes. */
  readonly maxComputeInvocationsPerWorkgroup: number;
  /** Bytes of workgroup memory. */
  readonly maxComputeWorkgroupStorageSize: number;
  /** Workgroups in each dimension of a grid. */
  readonly maxComputeWorkgroupsPerDimension: number;
  /** Storage buffers that a shader can bind. */
  readonly maxStorageBuffersPerShaderStage: number;
  /** Bytes of a buffer that a shader can bind. */
  readonly maxStorageBufferBindingSize: number;
  /** Bytes of a buffer. */
  readonly maxBufferSize: number;
}

/** Traits of an adapter that decide between a kernel's programs. `gpu.info` has them. */
export interface AdapterTraits {
  /**
   * True for an adapter that runs on a CPU. Only code in `kernels/software/`, the programs for such adapters, uses it.
   */
  readonly software: boolean;
  /** Vendor in lower case, as the browser reports it; may be empty. */
  readonly vendor: string;
  /** Features of the device, by WebGPU's names, such as `subgroups`. */
  readonly features: ReadonlySet<string>;
  /** Limits that decide whether the adapter can run a program. */
  readonly limits: Pick<
    DeviceLimits,
    'maxComputeInvocationsPerWorkgroup' | 'maxComputeWorkgroupStorageSize' | 'maxStorageBuffersPerShaderStage'
  >;
  /** Estimated number of workgroups that the adapter runs at the same time; with fewer, a part of it is idle. */
  readonly parallelWidth: number;
}

/** One way to run a kernel: a shader, values of its overrides, and a grid. `program` makes one. */
export interface Program<Variant extends string = string> {
  /** Name of the program, for plans and profiles: the shader's name, and its tile if there are several. */
  readonly variant: Variant;
  /** Shader to compile. */
  readonly shader: Shader;
  /** Values of overrides; all others have their defaults. */
  readonly overrides: Readonly<Record<string, number | boolean>>;
  /** Number of workgroups in x, y and z. */
  readonly workgroups: readonly [number, number, number];
  /** Returns true if the limits and features of the adapter allow it to run the program. */
  readonly suits: (adapter: AdapterTraits) => boolean;
  /** Returns true if the adapter should run the program rather than those that return false. */
  readonly prefers: (adapter: AdapterTraits) => boolean;
  /**
   * Program of the same shader with the same bits as results, faster but slower to compile; it replaces this one in a
   * plan that is replayed often. Default: none.
   */
  readonly later?: Program | undefined;
  /**
   * Names of bindings that the shader does not use with these overrides, although the dispatch has a tensor for them.
   */
  readonly unused: readonly string[];
}

/** Record of a step, which shaders read as the uniform `step`: four words. Numbers of the optimizer may follow them. */
export type StepValues = {
  /** Index of the batch's first sample in the order of the epoch. */
  readonly first: number;
  /** Valid rows of the batch; the last batch of an epoch may have fewer than the others. Shaders ignore the rest. */
  readonly rows: number;
  /** Number of the step, counted from 0. */
  readonly index: number;
  /** Learning rate of the step. */
  readonly learning_rate: number;
};

/**
 * Value of the uniform `step` of a dispatch in a plan that is replayed for each training step. The plan then supplies
 * the `StepValues` of the step at each replay. `gpu.run` cannot run such a dispatch.
 */
export const PER_STEP = 'per-step';

/** Value of `step` for a dispatch that does not belong to a training step. */
export const NO_STEP: StepValues = { first: 0, rows: 1, index: 0, learning_rate: 0 };

/**
 * Call of a kernel as plain data: its programs, tensors and numbers. To make one does not use the device; `gpu.run` or
 * a plan runs it.
 */
export interface Dispatch {
  /** Name of the kernel. */
  readonly kernel: string;
  /** Kernel and shape, for plans, profiles and messages: `matmul NN 128×10×784`. */
  readonly label: string;
  /** Programs that can run the call, at least one. The device runs the first that suits it, preferred ones first. */
  readonly programs: readonly Program[];
  /** Fields of each uniform of the shader, by name; `PER_STEP` is allowed for `step`. */
  readonly uniforms: Readonly<Record<string, Readonly<Record<string, number>> | typeof PER_STEP>>;
  /** Tensors by the shader's names; `undefined` for a binding that the shader does not use with the given overrides. */
  readonly buffers: Readonly<Record<string, Tensor<DType> | undefined>>;
  /** Number of floating-point operations, for plans and profiles; a multiply-add counts as 2. */
  readonly flops: number;
  /**
   * @internal True if one dispatch can run several training steps; `step.rows` is then the number of rows of all their
   * batches. Default: false.
   */
  readonly run?: boolean;
  /**
   * @internal Mathematical description of the call, by which plans find dispatches to fuse. Only kernels of this
   * library set it. Default: none.
   */
  readonly computes?: { readonly kind: string };
}

/** Uniforms that a dispatch of a shader takes: a number for each field. */
type UniformsOf<S extends Shader> = {
  readonly [U in keyof S['uniforms']]:
    | { readonly [F in keyof S['uniforms'][U]['fields']]: number }
    | (U extends 'step' ? typeof PER_STEP : never);
};
/** Buffers that a dispatch of a shader takes: a tensor for each binding. */
type BuffersOf<S extends Shader> = { readonly [B in keyof S['buffers']]: Tensor<DType> | undefined };

/**
 * Makes a program of a shader. TypeScript checks the names of its overrides.
 * @param overrides values that differ from the defaults in the shader
 * @param workgroups number of workgroups in x, y and z; y and z are 1 by default
 * @param options other fields of the program; by default it suits every adapter, and every adapter prefers it
 * @example
 * const doubled = program(shader, { FACTOR: 2 }, linearGrid(count));
 */
export function program<S extends Shader, Variant extends string = S['name']>(
  shader: S,
  overrides: { readonly [O in keyof S['overrides']]?: number | boolean },
  workgroups: readonly [number, number?, number?],
  options: Partial<Pick<Program<Variant>, 'variant' | 'suits' | 'prefers' | 'later' | 'unused'>> = {},
): Program<Variant> {
  const [x, y = 1, z = 1] = workgroups;
  const given: Record<string, number | boolean> = {};
  for (const [name, value] of Object.entries<number | boolean | undefined>(overrides)) {
    if (value !== undefined) given[name] = value;
  }
  const { variant = shader.name as Variant, suits = always, prefers = always, later, unused = [] } = options;
  return { variant, shader, overrides: given, workgroups: [x, y, z], suits, prefers, later, unused };
}

const always = (): boolean => true;

/**
 * Makes a dispatch. TypeScript checks the names of uniforms and buffers against the shader.
 * @throws {ShapeError} if a tensor that is written shares its buffer with another tensor of the call
 * @example
 * const uniforms = { dims: { count } };
 * gpu.run([dispatch(shader, { label: `scale ${count}`, programs: [doubled], uniforms, buffers: { x } })]);
 */
export function dispatch<S extends Shader>(
  shader: S,
  call: {
    /** Kernel and shape, for plans, profiles and messages. */
    readonly label: string;
    /** Programs that can run the call, at least one. */
    readonly programs: readonly Program[];
    /** Fields of each uniform, by name; `PER_STEP` is allowed for `step`. */
    readonly uniforms: UniformsOf<S>;
    /** Tensors by the shader's names; `undefined` for a binding that is not used. */
    readonly buffers: BuffersOf<S>;
    /** Name of the kernel. Default: the shader's name. */
    readonly kernel?: string | undefined;
    /** Number of floating-point operations. Default: 0. */
    readonly flops?: number | undefined;
  },
): Dispatch {
  const { label, programs, uniforms, buffers, kernel = shader.name, flops = 0 } = call;
  checkAliasing(shader, label, buffers);
  return { kernel, label, programs, uniforms, buffers, flops };
}

/** Workgroup size of the one-dimensional kernels. */
const WORKGROUP = 64;
/** WebGPU's default maxComputeWorkgroupsPerDimension. */
const MAX_WORKGROUPS = 65535;

/**
 * Returns the grid for a kernel with one invocation per element and a workgroup size of 64. It has one dimension up to
 * 65535 workgroups, and two beyond; an invocation's index is `id.y * (num_workgroups.x * 64) + id.x`. The shader must
 * ignore indices that are not below `count`.
 * @example
 * const doubled = program(shader, {}, linearGrid(values.length));
 */
export function linearGrid(count: number): readonly [number, number] {
  const workgroups = Math.ceil(count / WORKGROUP);
  const y = Math.ceil(workgroups / MAX_WORKGROUPS);
  return [Math.ceil(workgroups / y), y];
}

/** Programs that the adapter can run: first those that it prefers, then the others, each in the order of the list. */
export function candidates({ programs }: Dispatch, adapter: AdapterTraits): readonly Program[] {
  const possible = programs.filter(({ suits }) => suits(adapter));
  return [
    ...possible.filter(({ prefers }) => prefers(adapter)),
    ...possible.filter(({ prefers }) => !prefers(adapter)),
  ];
}

/** First candidate for the adapter. @throws {MlpError} `no-program` if it can run none of the programs */
export function choose(call: Dispatch, adapter: AdapterTraits): Program {
  const [first] = candidates(call, adapter);
  if (first !== undefined) return first;
  const variants = call.programs.map(({ variant }) => variant).join(', ');
  throw new MlpError('no-program', `${call.label}: this GPU can run none of its programs (${variants}).`);
}

/**
 * Checks that a tensor that is written shares its buffer with no other tensor of the call. WebGPU rejects such a
 * dispatch, but its message does not name the tensors.
 * @throws {ShapeError} with the names of both tensors
 */
function checkAliasing(
  shader: Shader,
  label: string,
  buffers: Readonly<Record<string, Tensor<DType> | undefined>>,
): void {
  for (const [name, tensor] of Object.entries(buffers)) {
    if (tensor === undefined || shader.buffers[name]?.access !== 'read_write') continue;
    for (const [other, rival] of Object.entries(buffers)) {
      if (other === name || rival?.storage !== tensor.storage) continue;
      // The same tensor may be the result under two names: each program uses only one of these bindings.
      if (rival === tensor && shader.buffers[other]?.access === 'read_write') continue;
      throw new ShapeError(
        `${label}: ${name} ("${tensor.label}") is written, but ${other} ("${rival.label}") is in the same buffer. Give ${name} a tensor of its own.`,
      );
    }
  }
}
