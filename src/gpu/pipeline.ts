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
    this.#ready ??= this.#compile();
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
      const text = lines.join('\n') || String(cause);
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
    const { shader } = program;
    return once(this.#pipelines, describe(program), () => {
      const module = once(this.#modules, shader, ({ name: label, code }) =>
        this.#device.createShaderModule({ label, code }),
      );
      const layout = once(this.#layouts, shader, () => bindGroupLayout(this.#device, shader));
      return new Pipeline(this.#device, module, layout, program);
    });
  }
}

/** What the map has at the key, made where there is nothing yet. */
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
