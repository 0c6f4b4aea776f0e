import { MlpError } from '../base/errors.js';
import type { specialized } from '../kernels/software/specialize.js';
import type { Program } from '../plan/dispatch.js';
import type { Shader } from '../plan/shader.js';

/** Provides the WGSL text of a program. */
interface TextSource {
  readonly isLoaded: boolean;
  /** Loads the code that `textOf` needs. */
  load(): Promise<void>;
  textOf(program: Program): string;
}

/**
 * The compute pipeline of a program. Its layout is available at once, the pipeline itself when `ready` resolves. The shader's
 * text is compiled unchanged, except on a software adapter, whose compiler is slow: there the branches that the program's
 * overrides switch off are removed from this library's own shaders.
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

  /** Compiles asynchronously. @throws {MlpError} `shader`, with the shader's name and the compiler's messages */
  ready(): Promise<void> {
    this.#ready ??= this.#compile();
    return this.#ready;
  }

  get isReady(): boolean {
    return this.#finished !== undefined;
  }

  /** The pipeline, compiled synchronously if `ready` has not resolved. */
  get compiled(): GPUComputePipeline {
    this.#finished ??= this.#device.createComputePipeline(this.#describe());
    return this.#finished;
  }

  /** Describes the pipeline. The module is created only when it is compiled, because parsing alone takes milliseconds. */
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
    // Without this await, compilation begins in the caller's turn, and the host can do other work during it.
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

/** The pipelines of a device by shader text and overrides. Each is compiled once. */
export class PipelineCache implements TextSource {
  readonly #device: GPUDevice;
  readonly #software: boolean;
  #specialized: typeof specialized | undefined;
  readonly #layouts: Map<Shader, GPUBindGroupLayout> = new Map<Shader, GPUBindGroupLayout>();
  readonly #pipelines: Map<string, Pipeline> = new Map<string, Pipeline>();

  /** @param software true if the device's adapter runs on a CPU */
  constructor(device: GPUDevice, software: boolean) {
    this.#device = device;
    this.#software = software;
  }

  get isLoaded(): boolean {
    return !this.#software || this.#specialized !== undefined;
  }

  /** Loads the code that removes branches, on a software adapter. Until then `compiled` uses the unchanged text. */
  async load(): Promise<void> {
    if (this.isLoaded) return;
    this.#specialized = (await import('../kernels/software/specialize.js')).specialized;
  }

  /** The text to compile: the shader's own, or this library's without unused branches. An app's text is never rewritten. */
  textOf({ shader, overrides }: Program): string {
    if (shader.library !== true) return shader.code;
    return this.#specialized?.(shader.code, { ...shader.overrides, ...overrides }) ?? shader.code;
  }

  /** The pipeline of a program, created on first use. */
  get(program: Program): Pipeline {
    // The key has the text too, because an app's shader may share its name with another.
    return once(this.#pipelines, program.shader.code + describe(program), () => {
      const layout = once(this.#layouts, program.shader, () => bindGroupLayout(this.#device, program.shader));
      return new Pipeline(this.#device, layout, program, this);
    });
  }
}

/** The map's value at `key`, created and stored by `make` if there is none. */
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

/** Name of a program: its shader, and the overrides that differ from the shader's defaults. */
function describe({ shader, overrides }: Program): string {
  const settings = Object.entries(overrides)
    .filter(([name, value]) => shader.overrides[name] !== value)
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  return settings.length === 0 ? shader.name : `${shader.name} (${settings.join(', ')})`;
}
