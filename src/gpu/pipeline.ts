import { MlpError } from '../errors.js';
import type { Program } from './dispatch.js';
import type { Shader } from './shader.js';

/** A program on its way to a pipeline: the layout is there at once, the pipeline when `ready` resolves. */
export class Pipeline {
  readonly layout: GPUBindGroupLayout;
  #finished: GPUComputePipeline | undefined;
  #ready: Promise<void> | undefined;
  readonly #device: GPUDevice;
  readonly #module: GPUShaderModule;
  readonly #descriptor: GPUComputePipelineDescriptor;

  constructor(device: GPUDevice, module: GPUShaderModule, layout: GPUBindGroupLayout, program: Program) {
    this.#device = device;
    this.#module = module;
    this.layout = layout;
    const constants: Record<string, number> = {};
    for (const [name, value] of Object.entries(program.overrides)) constants[name] = Number(value);
    this.#descriptor = {
      label: describe(program),
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, constants },
    };
  }

  /** Compiles without blocking. @throws {MlpError} `shader`, with the shader's name and the compiler's words */
  ready(): Promise<void> {
    this.#ready ??= this.#finished === undefined ? this.#compile() : Promise.resolve();
    return this.#ready;
  }

  get isReady(): boolean {
    return this.#finished !== undefined;
  }

  /** The pipeline; compiled here and now if `ready` was not awaited. */
  get compiled(): GPUComputePipeline {
    this.#finished ??= this.#device.createComputePipeline(this.#descriptor);
    return this.#finished;
  }

  async #compile(): Promise<void> {
    try {
      const compiled = await this.#device.createComputePipelineAsync(this.#descriptor);
      this.#finished ??= compiled;
    } catch (cause) {
      const { messages } = await this.#module.getCompilationInfo().catch(() => ({ messages: [] }));
      const lines = messages.map(({ type, lineNum, linePos, message }) => `${type} ${lineNum}:${linePos} ${message}`);
      const text = lines.length > 0 ? lines.join('\n') : String(cause);
      throw new MlpError('shader', `The shader ${this.#descriptor.label} does not compile on this GPU: ${text}`, {
        cause,
      });
    }
  }
}

/** Pipelines by shader and overrides, each compiled once. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #modules: Map<Shader, GPUShaderModule> = new Map<Shader, GPUShaderModule>();
  readonly #layouts: Map<Shader, GPUBindGroupLayout> = new Map<Shader, GPUBindGroupLayout>();
  readonly #pipelines: Map<string, Pipeline> = new Map<string, Pipeline>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get(program: Program): Pipeline {
    const name = describe(program);
    let pipeline = this.#pipelines.get(name);
    if (pipeline === undefined) {
      pipeline = new Pipeline(this.#device, this.#module(program.shader), this.#layout(program.shader), program);
      this.#pipelines.set(name, pipeline);
    }
    return pipeline;
  }

  #module(shader: Shader): GPUShaderModule {
    let module = this.#modules.get(shader);
    if (module === undefined) {
      module = this.#device.createShaderModule({ label: shader.name, code: shader.code });
      this.#modules.set(shader, module);
    }
    return module;
  }

  #layout(shader: Shader): GPUBindGroupLayout {
    let layout = this.#layouts.get(shader);
    if (layout === undefined) {
      const visibility = GPUShaderStage.COMPUTE;
      const entries: GPUBindGroupLayoutEntry[] = [];
      for (const [name, { binding }] of Object.entries(shader.uniforms)) {
        entries.push({ binding, visibility, buffer: { type: 'uniform', hasDynamicOffset: name === 'step' } });
      }
      for (const { binding, access } of Object.values(shader.buffers)) {
        entries.push({ binding, visibility, buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' } });
      }
      layout = this.#device.createBindGroupLayout({ label: shader.name, entries });
      this.#layouts.set(shader, layout);
    }
    return layout;
  }
}

function describe({ shader, overrides }: Program): string {
  const settings = Object.entries(overrides)
    .filter(([name, value]) => shader.overrides[name] !== value)
    .map(([name, value]) => `${name}=${value}`)
    .sort();
  return settings.length === 0 ? shader.name : `${shader.name} (${settings.join(', ')})`;
}
