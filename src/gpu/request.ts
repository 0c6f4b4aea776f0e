import type { DeviceInfo } from '../plan/device.js';
import type { DeviceLimits } from '../plan/dispatch.js';
import type { Tuning, TuningStorage } from './tuning-cache.js';

/** Options of `Gpu.request`. */
export interface GpuOptions {
  readonly powerPreference?: GPUPowerPreference;
  /** An adapter that the app has requested itself, as in Node, where there is no `navigator.gpu`; no other is taken then. */
  readonly adapter?: GPUAdapter;
  /** Device features that must be there; `timestamp-query` and `subgroups` are taken where they are. */
  readonly features?: readonly GPUFeatureName[];
  readonly label?: string;
  /**
   * Whether a plan measures which variant of a kernel is the fastest here: `off` (by default) goes by rules, `auto` takes
   * up to a second for each plan, `full` as long as it takes. Other variants round otherwise, so other bits.
   */
  readonly tuning?: Tuning;
  /** Where such choices are kept for the next visit, such as `localStorage`. */
  readonly tuningStorage?: TuningStorage;
}

/** The adapter, as far as a browser tells. Strings are empty where it does not. */
export interface GpuInfo extends DeviceInfo {
  readonly architecture: string;
  readonly description: string;
  /** True for an adapter that runs on a CPU: right, and slow. */
  readonly software: boolean;
  readonly limits: GPUSupportedLimits;
}

/** The limits that kernels and data sets can use more of than WebGPU's defaults. */
const RAISED_LIMITS = /^max(Compute|.*Buffer)/;
const WELCOME_FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups'];
/** A guess at `parallelWidth` by vendor: the cores of a middling model. WebGPU tells no adapter's own. */
const PARALLEL_WIDTHS: Readonly<Record<string, number>> = { nvidia: 64, amd: 32, apple: 16, intel: 16 };
const PARALLEL_WIDTH = 8;
/** Milliseconds that an adapter may take to answer. */
const ADAPTER_PATIENCE_MS = 10_000;

/** A device, and the adapter that gave it. */
interface Requested {
  readonly device: GPUDevice;
  readonly adapter: GPUAdapter;
}

/** A device with limits as high as its adapter allows. @throws {WebGpuUnavailableError|MlpError} as `Gpu.request` does */
export async function requestDevice(options: GpuOptions): Promise<Requested> {
  const given: unknown = options.adapter;
  const first = given === undefined ? await requestAdapter(options) : await checkAdapter(given);
  // Outside of browsers nobody but the app puts them there.
  if (typeof GPUBufferUsage === 'undefined') throw (await failures()).noGlobals();
  await checkFeatures(first, options);
  try {
    return await deviceOf(first, options);
  } catch (cause) {
    // An app's own adapter and no other: another may be another GPU.
    if (given !== undefined) throw (await failures()).refusedByOwn(cause);
    // An adapter gives one device, and one that is worn out may refuse: a fresh one gets a second chance.
    const second = await requestAdapter(options).catch(() => undefined);
    if (second === undefined) throw (await failures()).refused(cause);
    return await deviceOf(second, options).catch(async (again: unknown) => {
      throw (await failures()).refused(again);
    });
  }
}

/** @throws {WebGpuUnavailableError|MlpError} if it is no adapter */
async function checkAdapter(given: unknown): Promise<GPUAdapter> {
  if (given === null) throw (await failures()).nullAdapter();
  const { requestDevice, features, limits } = given as Partial<GPUAdapter>;
  if (typeof requestDevice !== 'function' || !features || !limits) throw (await failures()).notAnAdapter(given);
  return given as GPUAdapter;
}

/** @throws {WebGpuUnavailableError} that names what the adapter lacks */
async function checkFeatures({ features }: GPUAdapter, options: GpuOptions): Promise<void> {
  const lacking = (options.features ?? []).filter((feature) => !features.has(feature));
  if (lacking.length > 0) throw (await failures()).lacks(lacking, features);
}

async function requestAdapter(options: GpuOptions): Promise<GPUAdapter> {
  if (globalThis.isSecureContext === false) throw (await failures()).insecureContext();
  const api = typeof navigator === 'undefined' ? undefined : (navigator as { gpu?: GPU }).gpu;
  if (api === undefined) {
    const { noWebGpu, notABrowser } = await failures();
    // Browsers have this in pages and in workers, and no other runtime has it.
    throw globalThis.isSecureContext === undefined ? notABrowser() : noWebGpu();
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ADAPTER_PATIENCE_MS, undefined);
  });
  try {
    // Of the options it takes powerPreference alone.
    const answer = api.requestAdapter(options as GPURequestAdapterOptions);
    const adapter = await Promise.race([answer, patience]).catch(async (cause: unknown) => {
      throw (await failures()).askedWrongly(cause);
    });
    if (adapter) return adapter;
    const { noAdapter, noAnswer } = await failures();
    throw adapter === null ? noAdapter() : noAnswer();
  } finally {
    clearTimeout(timer);
  }
}

/** Messages are loaded where one is needed. */
async function failures(): Promise<typeof import('./unavailable.js')> {
  return await import('./unavailable.js');
}

/** @throws what the adapter throws; {Error} if the device is lost at birth, of which only its promise tells */
async function deviceOf(adapter: GPUAdapter, options: GpuOptions): Promise<Requested> {
  const requiredLimits: Record<string, number> = {};
  // The names are the prototype's, so Object.keys would find none.
  for (const name in adapter.limits) {
    const limit = adapter.limits[name as keyof GPUSupportedLimits];
    if (RAISED_LIMITS.test(name) && typeof limit === 'number') requiredLimits[name] = limit;
  }
  const wanted = WELCOME_FEATURES.filter((feature) => adapter.features.has(feature));
  const requiredFeatures = [...wanted, ...(options.features ?? [])];
  const label = options.label ?? 'webgpu-mlp';
  const device = await adapter.requestDevice({ label, requiredLimits, requiredFeatures });
  const loss = await Promise.race([device.lost, undefined]);
  if (loss !== undefined) throw new Error(loss.message);
  return { adapter, device };
}

/**
 * A device's adapter, as far as the browser tells: the device says it from Chrome 132 on, elsewhere the adapter does, and
 * nobody for a device of which only the app knows the adapter.
 */
export function infoOf(device: GPUDevice, adapter?: GPUAdapter): GpuInfo {
  const told: Partial<GPUAdapterInfo> = device.adapterInfo ?? adapter?.info ?? {};
  const { vendor = '', architecture = '', description = '' } = told;
  const isFallback =
    told.isFallbackAdapter ?? (adapter as { isFallbackAdapter?: boolean } | undefined)?.isFallbackAdapter;
  return {
    vendor,
    architecture,
    description,
    software:
      isFallback === true || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${architecture} ${description}`),
    features: device.features as ReadonlySet<string>,
    limits: device.limits as GPUSupportedLimits & DeviceLimits,
    parallelWidth: PARALLEL_WIDTHS[vendor] ?? PARALLEL_WIDTH,
  };
}
