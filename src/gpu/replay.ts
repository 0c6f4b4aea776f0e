import { LimitError, MlpError, ShapeError } from '../base/errors.js';
import type { Guarded, Replay } from '../plan/device.js';
import { type AdapterTraits, choose, type Dispatch, PER_STEP, type Program } from '../plan/dispatch.js';
import type { BufferCopy, DeviceBuffer } from '../plan/memory.js';
import type { Shader } from '../plan/shader.js';
import { BINDING_ALIGNMENT, type DType, type Tensor } from '../plan/tensor.js';
import type { Pipeline, PipelineCache } from './pipeline.js';

/** A program, and the tensors that it uses. */
interface BoundProgram {
  readonly program: Program;
  readonly pipeline: Pipeline;
  readonly bindGroup: GPUBindGroup;
}

/** A dispatch that is ready to run: its program chosen, its numbers and tensors bound. */
export interface Command extends BoundProgram {
  readonly dispatch: Dispatch;
  /** The program that takes over when its pipeline is ready. */
  readonly later?: BoundProgram | undefined;
  /** Where the program finds `step`, if it reads one: in the record of the replay, or in the dispatch's own numbers. */
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
  /** A buffer for bindings that a program's overrides leave unused; never read or written. */
  readonly unused: { readonly read: GPUBuffer; readonly read_write: GPUBuffer };
}

/** The numbers of a list of dispatches, in one uniform buffer. */
interface PackedUniforms {
  readonly buffer: DeviceBuffer;
  /** For each dispatch, the byte offset of each of its uniforms that is not per step. */
  readonly offsets: readonly Readonly<Record<string, number>>[];
}

/** A buffer of this device. The pool makes no others, and an app's own are tested where they come in. */
export const asGpuBuffer = (buffer: DeviceBuffer): GPUBuffer => buffer as GPUBuffer;

/** A dispatch, and the program that is chosen for it. */
interface Chosen {
  readonly dispatch: Dispatch;
  readonly program: Program;
}

/**
 * Checks that a program finds everything that its shader declares, for WebGPU would let it read zeros.
 * @param perStep true if there are per-step records
 * @throws {MlpError} `per-step` for a dispatch that asks for records where there are none; `bad-dispatch` for one that leaves
 * something out
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
        `${label}: its ${name} is PER_STEP, which plans fill in, for "step" alone. Pass { ${Object.keys(fields).join(', ')} }.`,
      );
    }
    const missing = Object.keys(fields).find((field) => typeof values[field] !== 'number');
    if (missing !== undefined) throw refused(`uniforms.${name} has ${missing} = ${String(values[missing])}.`);
  }
  for (const name of Object.keys(shader.buffers)) {
    if (buffers[name] !== undefined || unused.includes(name)) continue;
    // A binding that is undefined by name may be one that the overrides leave unused; nothing tells which do.
    if (name in buffers && Object.keys(shader.overrides).length > 0) continue;
    throw refused(`buffers has no tensor for "${name}".`);
  }
}

/** @throws {LimitError} if the grid has more workgroups in a dimension than the device allows */
function checkGrid({ dispatch, program }: Chosen, most: number): void {
  if (Math.max(...program.workgroups) > most) {
    throw new LimitError(
      `${dispatch.label} needs ${program.workgroups.join(' × ')} workgroups, but this GPU allows ${most} in a dimension (maxComputeWorkgroupsPerDimension). Use a smaller batch.`,
    );
  }
}

/** Uploads every fixed uniform of the dispatches, each at a place where a binding may begin. */
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

/** Commands, and the uniform buffer that they are bound to, which their owner frees. */
interface BoundCommands {
  readonly commands: readonly Command[];
  readonly uniforms: DeviceBuffer;
}

/**
 * Binds dispatches to run with the programs that are chosen for them, or else the adapter's own choice.
 * @param stepBuffer the per-step records, for dispatches that ask for them
 * @throws {LimitError} if a grid has more workgroups in a dimension than the device allows
 * @throws {MlpError} `per-step` for a dispatch that asks for records where there are none, `bad-dispatch` for one that leaves out
 * something that its program's shader declares; nothing is left behind
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
      // Two writable bindings of a dispatch may share a buffer only where they do not overlap.
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

/** The range that a tensor is bound with. @throws {ShapeError} if it begins where no binding may. */
function bindingOf(tensor: Tensor<DType>): GPUBufferBinding {
  const { byteOffset: offset, storage } = tensor;
  if (offset % BINDING_ALIGNMENT !== 0) {
    throw new ShapeError(
      `"${tensor.label}" begins at byte ${offset} of its buffer, but a binding begins at a multiple of ${BINDING_ALIGNMENT}.`,
    );
  }
  // To a whole vec4 where there is room: a storage is padded to one, a caller's own buffer may not be.
  const size = Math.min(Math.ceil(tensor.byteLength / 16) * 16, storage.byteLength - offset);
  return { buffer: asGpuBuffer(tensor.buffer), offset, size };
}

/** The program that a command runs now: its own, or the later one once that is compiled. */
function current(command: Command): BoundProgram {
  return command.later?.pipeline.isReady === true ? command.later : command;
}

/** The target of encoding: a compute pass, or its stand-in while a profile is taken. */
export interface Pass {
  /** Announces the next dispatch to a profile. */
  next?(dispatch: Dispatch, program: Program): void;
  setPipeline(pipeline: GPUComputePipeline): void;
  setBindGroup(index: number, bindGroup: GPUBindGroup, dynamicOffsets?: readonly number[]): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
}

/** Encodes commands in order. @param stepOffset the byte offset of this replay's record in the step buffer */
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
  /** Waits for compilations, and does meanwhile what was put off. @throws {MlpError} in this library's terms */
  compiled(what: string, compilations: readonly Promise<void>[]): Promise<void>;
}

/** A plan that has been replayed so often is worth compiling its later programs. */
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
    // A shader that does not compile is an error twice, of its module and of its pipeline, which is the one that tells.
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

  /** Compiles one after the other, since other plans may be waiting for the compiler; without them this one goes on as it is. */
  async #compileLater(): Promise<void> {
    for (const { later } of this.#commands) {
      if (this.#disposed) return;
      await later?.pipeline.ready().catch(() => undefined);
    }
  }
}
