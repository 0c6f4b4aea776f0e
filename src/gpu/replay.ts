import { LimitError, MlpError, ShapeError } from '../base/errors.js';
import type { Guarded, Replay } from '../plan/device.js';
import { type AdapterTraits, choose, type Dispatch, PER_STEP, type Program } from '../plan/dispatch.js';
import type { BufferCopy, DeviceBuffer } from '../plan/memory.js';
import type { Shader } from '../plan/shader.js';
import { BINDING_ALIGNMENT, type DType, type Tensor } from '../plan/tensor.js';
import type { Pipeline, PipelineCache } from './pipeline.js';

/** A program with its pipeline, and the bind group of its tensors and uniforms. */
interface BoundProgram {
  readonly program: Program;
  readonly pipeline: Pipeline;
  readonly bindGroup: GPUBindGroup;
}

/** A dispatch that is ready to encode: its program is chosen, its uniforms and tensors are bound. */
export interface Command extends BoundProgram {
  readonly dispatch: Dispatch;
  /** Faster program that replaces this one once its pipeline is compiled. */
  readonly later?: BoundProgram | undefined;
  /** Source of the uniform `step`, if the shader has it: the dispatch's own values (`fixed`), or the record of each replay. */
  readonly step: 'none' | 'fixed' | typeof PER_STEP;
}

/** The parts of a `Gpu` that binding needs. */
export interface Binder {
  readonly device: GPUDevice;
  readonly info: AdapterTraits;
  readonly pipelines: PipelineCache;
  allocate(byteLength: number, label: string, use: 'uniform'): DeviceBuffer;
  free(buffer: DeviceBuffer): void;
  write(buffer: DeviceBuffer, byteOffset: number, data: ArrayBufferView): void;
  /** Placeholder buffers for bindings that a program's overrides leave unused; no kernel reads or writes them. */
  readonly unused: { readonly read: GPUBuffer; readonly read_write: GPUBuffer };
}

/** The uniforms of a list of dispatches, in one buffer. */
interface PackedUniforms {
  readonly buffer: DeviceBuffer;
  /** For each dispatch, the byte offset of each of its uniforms that is not per step. */
  readonly offsets: readonly Readonly<Record<string, number>>[];
}

/** Narrows a buffer of this device: the pool creates only GPUBuffers, and an app's own buffers are checked by `isBuffer`. */
export const asGpuBuffer = (buffer: DeviceBuffer): GPUBuffer => buffer as GPUBuffer;

/** A dispatch and its chosen program. */
interface Chosen {
  readonly dispatch: Dispatch;
  readonly program: Program;
}

/**
 * Checks that a dispatch provides every uniform and buffer that its shader declares; WebGPU would read zeros instead.
 * @param perStep true if there are per-step records
 * @throws {MlpError} `per-step` if the dispatch needs a per-step record and there is none; `bad-dispatch` if it lacks a uniform
 * or a tensor
 */
function checkComplete({ dispatch, program }: Chosen, perStep: boolean): void {
  const { label, uniforms, buffers } = dispatch;
  const { shader, unused } = program;
  const refused = (what: string): MlpError =>
    new MlpError('bad-dispatch', `${label}: ${what} The shader "${shader.name}" declares it.`);
  for (const [name, { fields }] of Object.entries(shader.uniforms)) {
    const values = uniforms[name] ?? {};
    if (values === PER_STEP) {
      if (perStep && name === 'step') continue;
      throw new MlpError(
        'per-step',
        `${label}: ${name} is PER_STEP, but only a plan fills it in, and only "step". Pass { ${Object.keys(fields).join(', ')} }.`,
      );
    }
    const missing = Object.keys(fields).find((field) => typeof values[field] !== 'number');
    if (missing !== undefined) throw refused(`uniforms.${name} has ${missing} = ${String(values[missing])}.`);
  }
  for (const name of Object.keys(shader.buffers)) {
    if (buffers[name] !== undefined || unused.includes(name)) continue;
    // A buffer that is given as undefined is accepted if there are overrides: they may leave its binding unused.
    if (name in buffers && Object.keys(shader.overrides).length > 0) continue;
    throw refused(`buffers has no tensor for "${name}".`);
  }
}

/** Checks the number of workgroups. @throws {LimitError} if the grid exceeds the device's limit in a dimension */
function checkGrid({ dispatch, program }: Chosen, most: number): void {
  if (Math.max(...program.workgroups) > most) {
    throw new LimitError(
      `${dispatch.label} needs ${program.workgroups.join(' × ')} workgroups, but this GPU allows ${most} in a dimension (maxComputeWorkgroupsPerDimension). Use a smaller batch.`,
    );
  }
}

/** Uploads every fixed uniform of the dispatches into one buffer, each at a multiple of `BINDING_ALIGNMENT`. */
function uploadUniforms(binder: Binder, chosen: readonly Chosen[]): PackedUniforms {
  const offsets: Record<string, number>[] = [];
  const blocks: { offset: number; fields: Shader['uniforms'][string]['fields']; values: Record<string, number> }[] = [];
  let end = 0;
  for (const { dispatch, program } of chosen) {
    const places: Record<string, number> = {};
    for (const [name, { size, fields }] of Object.entries(program.shader.uniforms)) {
      const values = dispatch.uniforms[name];
      if (values === undefined || values === PER_STEP) continue;
      places[name] = end;
      blocks.push({ offset: end, fields, values });
      end += Math.ceil(size / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
    }
    offsets.push(places);
  }
  const view = new DataView(new ArrayBuffer(Math.max(end, 16)));
  for (const { offset, fields, values } of blocks) {
    for (const [number, [field, type]] of Object.entries(fields).entries()) {
      const value = values[field] ?? 0;
      if (type === 'f32') view.setFloat32(offset + 4 * number, value, true);
      else view.setUint32(offset + 4 * number, value, true);
    }
  }
  const buffer = binder.allocate(view.byteLength, 'uniforms', 'uniform');
  binder.write(buffer, 0, view);
  return { buffer, offsets };
}

/** Commands, and the buffer of their uniforms. */
interface BoundCommands {
  readonly commands: readonly Command[];
  /** Freed by the caller. */
  readonly uniforms: DeviceBuffer;
}

/**
 * Binds dispatches to their tensors. If it throws, nothing stays allocated.
 * @param stepBuffer the per-step records, for dispatches with PER_STEP
 * @param programs programs to use for some dispatches; the others use the one that suits the adapter best
 * @throws {LimitError} if a grid has more workgroups in a dimension than the device allows
 * @throws {ShapeError} if a tensor does not begin at a multiple of 256 bytes in its buffer
 * @throws {MlpError} `per-step` if a dispatch needs a per-step record and there is none; `bad-dispatch` if it lacks a uniform
 * or a tensor that its shader declares
 */
export function bindAll(
  binder: Binder,
  dispatches: readonly Dispatch[],
  stepBuffer?: DeviceBuffer,
  programs?: ReadonlyMap<Dispatch, Program>,
): BoundCommands {
  const chosen = dispatches.map((dispatch) => ({
    dispatch,
    program: programs?.get(dispatch) ?? choose(dispatch, binder.info),
  }));
  for (const one of chosen) {
    checkComplete(one, stepBuffer !== undefined);
    checkGrid(one, binder.device.limits.maxComputeWorkgroupsPerDimension);
  }
  const { buffer, offsets } = uploadUniforms(binder, chosen);
  try {
    const commands = chosen.map(({ dispatch, program }, index) =>
      bind(binder, dispatch, program, buffer, offsets[index] ?? {}, stepBuffer),
    );
    return { commands, uniforms: buffer };
  } catch (error) {
    binder.free(buffer);
    throw error;
  }
}

function bind(
  binder: Binder,
  dispatch: Dispatch,
  program: Program,
  uniformBuffer: DeviceBuffer,
  offsets: Readonly<Record<string, number>>,
  stepBuffer?: DeviceBuffer,
): Command {
  const uniforms: GPUBindGroupEntry[] = [];
  let step: Command['step'] = 'none';
  for (const [name, { binding, size }] of Object.entries(program.shader.uniforms)) {
    const values = dispatch.uniforms[name];
    if (name === 'step') step = values === PER_STEP ? PER_STEP : 'fixed';
    const buffer = asGpuBuffer(values === PER_STEP ? (stepBuffer ?? uniformBuffer) : uniformBuffer);
    uniforms.push({ binding, resource: { buffer, offset: offsets[name] ?? 0, size } });
  }
  const later = program.later && bindProgram(binder, dispatch, program.later, uniforms);
  return { ...bindProgram(binder, dispatch, program, uniforms), dispatch, later, step };
}

function bindProgram(
  binder: Binder,
  { label, buffers }: Dispatch,
  program: Program,
  uniforms: readonly GPUBindGroupEntry[],
): BoundProgram {
  const pipeline = binder.pipelines.get(program);
  const entries = [...uniforms];
  let written = 0;
  for (const [name, { binding, access }] of Object.entries(program.shader.buffers)) {
    const tensor = program.unused.includes(name) ? undefined : buffers[name];
    if (tensor !== undefined) entries.push({ binding, resource: bindingOf(tensor) });
    else if (access === 'read') entries.push({ binding, resource: { buffer: binder.unused.read } });
    else {
      // WebGPU forbids that two writable bindings of a dispatch overlap, so each placeholder has its own range.
      const resource = {
        buffer: binder.unused.read_write,
        offset: written * BINDING_ALIGNMENT,
        size: BINDING_ALIGNMENT,
      };
      entries.push({ binding, resource });
      written += 1;
    }
  }
  return { program, pipeline, bindGroup: binder.device.createBindGroup({ label, layout: pipeline.layout, entries }) };
}

/** The binding of a tensor. @throws {ShapeError} if the tensor does not begin at a multiple of `BINDING_ALIGNMENT` bytes */
function bindingOf(tensor: Tensor<DType>): GPUBufferBinding {
  const { byteOffset: offset, storage } = tensor;
  if (offset % BINDING_ALIGNMENT !== 0) {
    throw new ShapeError(
      `"${tensor.label}" begins at byte ${offset} of its buffer, but a binding must begin at a multiple of ${BINDING_ALIGNMENT}.`,
    );
  }
  // Rounded up to whole vec4s as far as the buffer allows: this library pads its buffers, an app may not.
  const size = Math.min(Math.ceil(tensor.byteLength / 16) * 16, storage.byteLength - offset);
  return { buffer: asGpuBuffer(tensor.buffer), offset, size };
}

/** The program that a command runs now: `later` once that is compiled, and until then its own. */
function current(command: Command): BoundProgram {
  return command.later?.pipeline.isReady === true ? command.later : command;
}

/** Target of encoding: a compute pass, or its replacement while a profile is taken. */
export interface Pass {
  /** Tells a profile the next dispatch. */
  next?(dispatch: Dispatch, program: Program): void;
  setPipeline(pipeline: GPUComputePipeline): void;
  setBindGroup(index: number, bindGroup: GPUBindGroup, dynamicOffsets?: readonly number[]): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
}

/** Encodes commands in order. @param stepOffset byte offset of this replay's record in the buffer of per-step records */
export function encode(pass: Pass, commands: readonly Command[], stepOffset = 0): void {
  for (const command of commands) {
    const { dispatch, step } = command;
    const { pipeline, program, bindGroup } = current(command);
    pass.next?.(dispatch, program);
    pass.setPipeline(pipeline.compiled);
    if (step === 'none') pass.setBindGroup(0, bindGroup);
    else pass.setBindGroup(0, bindGroup, [step === PER_STEP ? stepOffset : 0]);
    pass.dispatchWorkgroups(...program.workgroups);
  }
}

/** The parts of a `Gpu` that replaying needs. */
interface Submitter {
  readonly pipelines: Pick<PipelineCache, 'load'>;
  submit(label: string, record: (pass: Pass) => void, copies?: readonly BufferCopy[]): void;
  free(buffer: DeviceBuffer): void;
  guard<T>(what: string, build: () => T): Guarded<T>;
  /** Awaits compilations, and runs deferred writes during them. @throws {MlpError} `shader`, or why the device failed */
  compiled(what: string, compilations: readonly Promise<void>[]): Promise<void>;
}

/** Number of replays after which a plan compiles the faster programs in `later`. */
const OFTEN = 16;

/** A plan's dispatches on a `Gpu`. */
export class GpuReplay implements Replay {
  readonly #gpu: Submitter;
  readonly #what: string;
  readonly #commands: readonly Command[];
  readonly #uniforms: DeviceBuffer;
  #replays = 0;
  #disposed = false;

  constructor(gpu: Submitter, what: string, { commands, uniforms }: BoundCommands) {
    this.#gpu = gpu;
    this.#what = what;
    this.#commands = commands;
    this.#uniforms = uniforms;
  }

  programOf(index: number): Program {
    const command = this.#commands[index];
    if (command === undefined) throw new RangeError(`${index}`);
    return current(command).program;
  }

  async ready(): Promise<void> {
    const pipelines = new Set(this.#commands.map(({ pipeline }) => pipeline));
    await this.#gpu.pipelines.load();
    // A shader error occurs twice: in the error scope, which is ignored, and as the pipeline's rejection with details.
    const { value: compilations } = this.#gpu.guard(this.#what, () =>
      [...pipelines].map((pipeline) => pipeline.ready()),
    );
    await this.#gpu.compiled(this.#what, compilations);
  }

  submit(what: string, stepOffsets: readonly number[], copies?: readonly BufferCopy[]): void {
    const before = this.#replays;
    this.#replays += stepOffsets.length;
    if (before < OFTEN && this.#replays >= OFTEN) void this.#compileLater();
    this.#gpu.submit(
      what,
      (pass) => {
        for (const offset of stepOffsets) encode(pass, this.#commands, offset);
      },
      copies,
    );
  }

  dispose(): void {
    this.#disposed = true;
    this.#gpu.free(this.#uniforms);
  }

  /**
   * Compiles the faster programs one by one, because other plans may need the compiler. If one fails, the plan keeps the
   * program that it has.
   */
  async #compileLater(): Promise<void> {
    for (const { later } of this.#commands) {
      if (this.#disposed) return;
      await later?.pipeline.ready().catch(() => undefined);
    }
  }
}
