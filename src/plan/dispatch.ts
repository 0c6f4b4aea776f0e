import { MlpError, ShapeError } from '../base/errors.js';
import type { Shader } from './shader.js';
import type { DType, Tensor } from './tensor.js';

/** Limits that kernels, plans and data sets keep to, by WebGPU's names. */
export interface DeviceLimits {
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
}

/** What the choice between a kernel's programs may depend on. `GpuInfo` is one. */
export interface AdapterTraits {
  /** True for an adapter that is no GPU. `kernels/software/` alone asks, and has what such adapters want. */
  readonly software: boolean;
  /** As the browser names it, in lower case; may be empty. */
  readonly vendor: string;
  readonly features: ReadonlySet<string>;
  readonly limits: Pick<
    DeviceLimits,
    'maxComputeInvocationsPerWorkgroup' | 'maxComputeWorkgroupStorageSize' | 'maxStorageBuffersPerShaderStage'
  >;
  /** Workgroups that it runs at once: with fewer, a part of it is idle. */
  readonly parallelWidth: number;
}

/** One way to run a kernel: a shader, its overrides and its grid. */
export interface Program<Variant extends string = string> {
  /** The shader's name, and its tile where there are several. */
  readonly variant: Variant;
  readonly shader: Shader;
  readonly overrides: Readonly<Record<string, number | boolean>>;
  /** Workgroups in x, y and z. */
  readonly workgroups: readonly [number, number, number];
  /** Whether such an adapter can run it at all: its limits and features allow it. */
  readonly suits: (adapter: AdapterTraits) => boolean;
  /** Whether such an adapter takes it before those that it does not prefer. */
  readonly prefers: (adapter: AdapterTraits) => boolean;
  /** Faster, slower to compile, and the same bits: takes over in a plan that is replayed often. Of the same shader. */
  readonly later?: Program | undefined;
  /** Bindings that its overrides leave unused, though the dispatch has a tensor for them. */
  readonly unused: readonly string[];
}

/** The per-step record that shaders read as `step`: four words. Behind them may be numbers of an optimizer's own. */
export type StepValues = {
  /** Where in the epoch's order the batch begins. */
  readonly first: number;
  /** Valid rows of the batch; the last batch of an epoch may have fewer than the others. */
  readonly rows: number;
  /** The number of the step, from 0 on. */
  readonly index: number;
  readonly learning_rate: number;
};

/** Marks a dispatch whose `step` is filled in at each replay. */
export const PER_STEP = 'per-step';

/** The `step` of a dispatch that is no part of a batch. */
export const NO_STEP: StepValues = { first: 0, rows: 1, index: 0, learning_rate: 0 };

/** One kernel call as plain data: what runs, on which tensors, with which numbers. It touches no device. */
export interface Dispatch {
  readonly kernel: string;
  /** For plans and profiles: the kernel and the shape it runs on. */
  readonly label: string;
  /** At least one; `candidates` puts them in an adapter's order. */
  readonly programs: readonly Program[];
  readonly uniforms: Readonly<Record<string, Readonly<Record<string, number>> | typeof PER_STEP>>;
  /** By the shader's names; `undefined` where the overrides leave a binding unused. */
  readonly buffers: Readonly<Record<string, Tensor<DType> | undefined>>;
  /** Floating-point operations, 2 for each multiply-add of a matmul. */
  readonly flops: number;
  /** @internal It takes `step.rows` for the rows of several batches, one step after the other. */
  readonly run?: boolean;
  /** @internal The mathematics of the call, set by this library's kernels alone: fusions go by it. */
  readonly computes?: { readonly kind: string };
}

type UniformsOf<S extends Shader> = {
  readonly [U in keyof S['uniforms']]:
    | { readonly [F in keyof S['uniforms'][U]['fields']]: number }
    | (U extends 'step' ? typeof PER_STEP : never);
};
type BuffersOf<S extends Shader> = { readonly [B in keyof S['buffers']]: Tensor<DType> | undefined };

/** A program of a shader; its overrides are checked by type. Unless told otherwise, every adapter suits it and prefers it. */
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

/** Describes a call of a kernel; uniforms and buffers are checked by type against the shader's own declarations. */
export function dispatch<S extends Shader>(
  shader: S,
  call: {
    readonly label: string;
    readonly programs: readonly Program[];
    readonly uniforms: UniformsOf<S>;
    readonly buffers: BuffersOf<S>;
    readonly kernel?: string;
    readonly flops?: number;
  },
): Dispatch {
  const { label, programs, uniforms, buffers, kernel = shader.name, flops = 0 } = call;
  checkAliasing(shader, label, buffers);
  return { kernel, label, programs, uniforms, buffers, flops };
}

/** Invocations of a workgroup of the one-dimensional kernels. */
const WORKGROUP = 64;
/** WebGPU's default maxComputeWorkgroupsPerDimension. */
const MOST_WORKGROUPS = 65535;

/** The grid for `count` elements, one an invocation: in x as far as a dimension goes, then in y. */
export function linearGrid(count: number): readonly [number, number] {
  const workgroups = Math.ceil(count / WORKGROUP);
  const y = Math.ceil(workgroups / MOST_WORKGROUPS);
  return [Math.ceil(workgroups / y), y];
}

/** The programs that the adapter can run: those that it prefers first, either in the order of the list. */
export function candidates({ programs }: Dispatch, adapter: AdapterTraits): readonly Program[] {
  const possible = programs.filter(({ suits }) => suits(adapter));
  return [
    ...possible.filter(({ prefers }) => prefers(adapter)),
    ...possible.filter(({ prefers }) => !prefers(adapter)),
  ];
}

/** The program that the adapter's rules choose. @throws {MlpError} if it can run none */
export function choose(call: Dispatch, adapter: AdapterTraits): Program {
  const [first] = candidates(call, adapter);
  if (first !== undefined) return first;
  const variants = call.programs.map(({ variant }) => variant).join(', ');
  throw new MlpError('no-program', `${call.label}: this GPU can run none of its programs (${variants}).`);
}

/** WebGPU refuses a dispatch that writes a buffer which it also binds otherwise; here the message names the tensors. */
function checkAliasing(
  shader: Shader,
  label: string,
  buffers: Readonly<Record<string, Tensor<DType> | undefined>>,
): void {
  for (const [name, tensor] of Object.entries(buffers)) {
    if (tensor === undefined || shader.buffers[name]?.access !== 'read_write') continue;
    for (const [other, rival] of Object.entries(buffers)) {
      if (other === name || rival?.storage !== tensor.storage) continue;
      // The result under the names of two bindings, of which a program uses one.
      if (rival === tensor && shader.buffers[other]?.access === 'read_write') continue;
      throw new ShapeError(
        `${label}: ${name} ("${tensor.label}") is written, but ${other} ("${rival.label}") is in the same buffer. Give ${name} a tensor of its own.`,
      );
    }
  }
}
