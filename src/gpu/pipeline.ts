import { MlpError } from '../base/errors.js';
import type { specialized } from '../kernels/software/specialize.js';
import type { Program } from '../plan/dispatch.js';
import type { Shader } from '../plan/shader.js';

/** The text that a program is compiled from. */
interface TextSource {
  readonly isLoaded: boolean;
  /** Loads what making texts takes. */
  load(): Promise<void>;
  textOf(program: Program): string;
}

/**
 * A program on its way to a pipeline: the layout is there at once, the pipeline when `ready` resolves. It is compiled from the
 * shader's text as it was written; but on a software adapter, whose compiler is slow, the library's own go without the branches
 * that their overrides switch off.
 */
export class Pipeline {
  readonly layout: GPUBindGroupLayout;
  #finished: GPUComputePipeline | undefined;
  #ready: Promise<void> | undefined;
  readonly #device: GPUDevice;
  readonly #program: Program;
  readonly #source: TextSource;

  constructor(device: GPUDevice, layout: GPUBindGroupLayout, program: Program, source: TextSource) {
    this.#device = device;
    this.layout = layout;
    this.#program = program;
    this.#source = source;
  }

  /** Compiles without blocking. @throws {MlpError} `shader`, with the shader's name and the compiler's words */
  ready(): Promise<void> {
    this.#ready ??= this.#compile();
    return this.#ready;
  }

  get isReady(): boolean {
    return this.#finished !== undefined;
  }

  /** The pipeline; compiled here and now if `ready` was not awaited. */
  get compiled(): GPUComputePipeline {
    this.#finished ??= this.#device.createComputePipeline(this.#describe());
    return this.#finished;
  }

  /** The module is made no sooner than it is compiled, for already to read its text takes milliseconds. */
  #describe(): GPUComputePipelineDescriptor & { readonly label: string } {
    const { shader, overrides } = this.#program;
    const code = this.#source.textOf(this.#program);
    const constants: Record<string, number> = {};
    for (const [name, value] of Object.entries(overrides)) constants[name] = Number(value);
    return {
      label: describe(this.#program),
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [this.layout] }),
      compute: { module: this.#device.createShaderModule({ label: shader.name, code }), constants },
    };
  }

  async #compile(): Promise<void> {
    // Once it is there, compiling begins at once, and the host may work meanwhile.
    if (!this.#source.isLoaded) await this.#source.load();
    const descriptor = this.#describe();
    try {
      const compiled = await this.#device.createComputePipelineAsync(descriptor);
      this.#finished ??= compiled;
    } catch (cause) {
      const { messages } = await descriptor.compute.module.getCompilationInfo().catch(() => ({ messages: [] }));
      const lines = messages.map(({ type, lineNum, linePos, message }) => `${type} ${lineNum}:${linePos} ${message}`);
      const text = lines.join('\n') || String(cause);
      throw new MlpError('shader', `The shader ${descriptor.label} does not compile on this GPU: ${text}`, { cause });
    }
  }
}

/** Pipelines by text and overrides, each compiled once. */
export class PipelineCache implements TextSource {
  readonly #device: GPUDevice;
  readonly #software: boolean;
  #specialized: typeof specialized | undefined;
  readonly #layouts: Map<Shader, GPUBindGroupLayout> = new Map<Shader, GPUBindGroupLayout>();
  readonly #pipelines: Map<string, Pipeline> = new Map<string, Pipeline>();

  /** @param software the device's adapter is a CPU */
  constructor(device: GPUDevice, software: boolean) {
    this.#device = device;
    this.#software = software;
  }

  get isLoaded(): boolean {
    return !this.#software || this.#specialized !== undefined;
  }

  /** Loads what this adapter needs to compile. Once it is there, `ready` begins at once; `compiled` does without. */
  async load(): Promise<void> {
    if (this.isLoaded) return;
    this.#specialized = (await import('../kernels/software/specialize.js')).specialized;
  }

  /** An app's own text is never rewritten. */
  textOf({ shader, overrides }: Program): string {
    if (shader.library !== true) return shader.code;
    return this.#specialized?.(shader.code, { ...shader.overrides, ...overrides }) ?? shader.code;
  }

  get(program: Program): Pipeline {
    // The text too: an app's shader may have the name of another.
    return once(this.#pipelines, program.shader.code + describe(program), () => {
      const layout = once(this.#layouts, program.shader, () => bindGroupLayout(this.#device, program.shader));
      return new Pipeline(this.#device, layout, program, this);
    });
  }
}

/** The map's value at the key, made where there is none yet. */
function once<Key, Value>(map: Map<Key, Value>, key: Key, make: (key: Key) => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make(key);
    map.set(key, value);
  }
  return value;
}

function bindGroupLayout(device: GPUDevice, { name: label, uniforms, buffers }: Shader): GPUBindGroupLayout {
  const visibility = GPUShaderStage.COMPUTE;
  const entries: GPUBindGroupLayoutEntry[] = [];
  for (const [name, { binding }] of Object.entries(uniforms)) {
    entries.push({ binding, visibility, buffer: { hasDynamicOffset: name === 'step' } });
  }
  for (const { binding, access } of Object.values(buffers)) {
    entries.push({ binding, visibility, buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' } });
  }
  return device.createBindGroupLayout({ label, entries });
}

function describe({ shader, overrides }: Program): string {
  const settings = Object.entries(overrides)
    .filter(([name, value]) => shader.overrides[name] !== value)
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  return settings.length === 0 ? shader.name : `${shader.name} (${settings.join(', ')})`;
}
