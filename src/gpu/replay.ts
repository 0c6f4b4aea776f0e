import { LimitError, MlpError, ShapeError } from '../base/errors.js';
import type { Replay } from '../plan/device.js';
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

/** Uploads every fixed uniform of the dispatches, each at a place where a binding may begin. */
function uploadUniforms(binder: Binder, dispatches: readonly Dispatch[]): PackedUniforms {
  const offsets: Record<string, number>[] = [];
  const blocks: { offset: number; shader: Shader; name: string; values: Readonly<Record<string, number>> }[] = [];
  let end = 0;
  for (const { uniforms, programs } of dispatches) {
    const places: Record<string, number> = {};
    const shader = programs[0]?.shader;
    for (const [name, values] of Object.entries(uniforms)) {
      if (values === PER_STEP || shader === undefined) continue;
      places[name] = end;
      blocks.push({ offset: end, shader, name, values });
      end += Math.ceil((shader.uniforms[name]?.size ?? 0) / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
    }
    offsets.push(places);
  }
  const view = new DataView(new ArrayBuffer(Math.max(end, 16)));
  for (const { offset, shader, name, values } of blocks) {
    const fields = Object.entries(shader.uniforms[name]?.fields ?? {});
    for (const [number, [field, type]] of fields.entries()) {
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
 * @throws {MlpError} `per-step` for a dispatch that asks for records where there are none; nothing is left behind
 */
export function bindAll(
  binder: Binder,
  dispatches: readonly Dispatch[],
  stepBuffer?: DeviceBuffer,
  chosen?: ReadonlyMap<Dispatch, Program>,
): BoundCommands {
  for (const { label, uniforms } of dispatches) {
    if (stepBuffer !== undefined || !Object.values(uniforms).includes(PER_STEP)) continue;
    throw new MlpError(
      'per-step',
      `${label}: its step is PER_STEP, which a plan fills in at each replay, but nothing replays it here. Pass { first, rows, index, learning_rate }.`,
    );
  }
  const { buffer, offsets } = uploadUniforms(binder, dispatches);
  try {
    const commands = dispatches.map((dispatch, index) => {
      const program = chosen?.get(dispatch) ?? choose(dispatch, binder.info);
      return bind(binder, dispatch, program, buffer, offsets[index] ?? {}, stepBuffer);
    });
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
  const most = binder.device.limits.maxComputeWorkgroupsPerDimension;
  if (Math.max(...program.workgroups) > most) {
    throw new LimitError(
      `${dispatch.label} needs ${program.workgroups.join(' × ')} workgroups, but this GPU allows ${most} in a dimension (maxComputeWorkgroupsPerDimension). Use a smaller batch.`,
    );
  }
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
    if (command === undefined) throw new RangeError(`${this.#what} has no dispatch ${index}.`);
    return current(command).program;
  }

  async ready(): Promise<void> {
    const pipelines = new Set(this.#commands.map(({ pipeline }) => pipeline));
    await this.#gpu.pipelines.load();
    await this.#gpu.compiled(
      this.#what,
      [...pipelines].map((pipeline) => pipeline.ready()),
    );
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
