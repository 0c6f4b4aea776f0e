import { LimitError } from '../base/errors.js';
import { type AdapterTraits, bindingOf, type Dispatch, PER_STEP, type Program } from '../plan/dispatch.js';
import type { Shader } from '../plan/shader.js';
import { BINDING_ALIGNMENT } from '../plan/tensor.js';
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
  /** What takes over when its pipeline is ready. */
  readonly later?: BoundProgram | undefined;
  /** Whether the program reads `step`, and where: in the record of the replay, or in the dispatch's own numbers. */
  readonly step: 'none' | 'fixed' | typeof PER_STEP;
}

/** What binding needs of the GPU. */
export interface Binder {
  readonly device: GPUDevice;
  readonly info: AdapterTraits;
  readonly pipelines: PipelineCache;
  allocateUniforms(byteLength: number, label: string): GPUBuffer;
  write(buffer: GPUBuffer, byteOffset: number, data: ArrayBufferView): void;
  /** A buffer for bindings that a program's overrides leave unused; never read or written. */
  readonly unused: { readonly read: GPUBuffer; readonly read_write: GPUBuffer };
}

/** The numbers of a list of dispatches, in one uniform buffer. */
interface PackedUniforms {
  readonly buffer: GPUBuffer;
  /** For each dispatch, the byte offset of each of its uniforms that is not per step. */
  readonly offsets: readonly Readonly<Record<string, number>>[];
}

/** Uploads every fixed uniform of the dispatches, each at a place where a binding may begin. */
export function uploadUniforms(binder: Binder, dispatches: readonly Dispatch[]): PackedUniforms {
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
  const buffer = binder.allocateUniforms(view.byteLength, 'uniforms');
  binder.write(buffer, 0, view);
  return { buffer, offsets };
}

/**
 * Binds a dispatch to run with one of its programs.
 * @param uniformBuffer holds the packed uniforms; `offsets` says where
 * @param stepBuffer the per-step records, for dispatches that ask for them
 * @throws {LimitError} if the grid has more workgroups in a dimension than the device allows
 */
export function bind(
  binder: Binder,
  dispatch: Dispatch,
  program: Program,
  uniformBuffer: GPUBuffer,
  offsets: Readonly<Record<string, number>>,
  stepBuffer?: GPUBuffer,
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
    const buffer = values === PER_STEP ? (stepBuffer ?? uniformBuffer) : uniformBuffer;
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

/** What a command runs now: its program, or the later one once that is compiled. */
export function current(command: Command): BoundProgram {
  return command.later?.pipeline.isReady === true ? command.later : command;
}

/** What commands are encoded into: a compute pass, or what stands in for one while a profile is taken. */
export interface Pass {
  /** Told what comes next, by those who want to know. */
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
