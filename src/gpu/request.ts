import { assertList, assertWord } from '../base/check.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import type { DeviceInfo } from '../plan/device.js';
import type { DeviceLimits } from '../plan/dispatch.js';
import type { Tuning, TuningStorage } from './tuning-cache.js';

/** Options of `Gpu.request`. */
export interface GpuOptions {
  /**
   * Preferred adapter: `low-power` or `high-performance`. Default: the browser chooses. Unused with `adapter`.
   * Example: `powerPreference: 'high-performance'`.
   */
  readonly powerPreference?: GPUPowerPreference | undefined;
  /**
   * Adapter that the app has requested itself, for example in Node, which has no `navigator.gpu`. Only this adapter is then
   * used. Default: the one that `navigator.gpu.requestAdapter()` finds.
   * Example: `adapter: await navigator.gpu.requestAdapter()`.
   */
  readonly adapter?: GPUAdapter | undefined;
  /**
   * Required device features. Default: none. `timestamp-query` and `subgroups` are enabled if available.
   * Example: `features: ['shader-f16']`.
   */
  readonly features?: readonly GPUFeatureName[] | undefined;
  /** Label of the device in developer tools. Default: "webgpu-mlp". Example: `label: 'my app'`. */
  readonly label?: string | undefined;
  /**
   * Selection of kernel variants when a plan is compiled: `off` uses fixed rules, `auto` measures the variants for up to a
   * second for each plan, `full` measures all of them thoroughly. Variants round differently, so results may differ in their
   * last bits. Default: "off".
   * Example: `tuning: 'auto'`.
   */
  readonly tuning?: Tuning | undefined;
  /**
   * Storage that keeps the measured choices for the next visit, such as `localStorage`. Default: none.
   * Example: `tuningStorage: localStorage`.
   */
  readonly tuningStorage?: TuningStorage | undefined;
}

const NAMES: OptionNames<GpuOptions> = {
  powerPreference: 1,
  adapter: 1,
  features: 1,
  label: 1,
  tuning: 1,
  tuningStorage: 1,
};

/** Names of the options of `Gpu.from`. */
export const SHARED_NAMES: OptionNames<Pick<GpuOptions, 'tuning' | 'tuningStorage'>> = { tuning: 1, tuningStorage: 1 };

/** Properties of the adapter and its device. A string is empty if the browser does not reveal it. */
export interface GpuInfo extends DeviceInfo {
  /** GPU family, such as "hopper". */
  readonly architecture: string;
  /** Name of the GPU, for reading only: its form differs between browsers. */
  readonly description: string;
  /** True for an adapter that runs on a CPU, such as SwiftShader: results are correct, but slow. */
  readonly software: boolean;
  /** The device's limits, such as `maxBufferSize` in bytes. */
  readonly limits: GPUSupportedLimits;
}

/** Limits that are raised from WebGPU's defaults to the adapter's maximum, for kernels and data sets. */
const RAISED_LIMITS = /^max(Compute|.*Buffer)/;
/** Features that are enabled if the adapter has them. */
const WELCOME_FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups'];
/** Estimate of `parallelWidth` by vendor: the cores of a mid-range model. WebGPU does not reveal the number. */
const PARALLEL_WIDTHS: Readonly<Record<string, number>> = { nvidia: 64, amd: 32, apple: 16, intel: 16 };
/** Estimate of `parallelWidth` for other vendors. */
const PARALLEL_WIDTH = 8;
/** Time limit for `requestAdapter()`, in milliseconds. */
const ADAPTER_PATIENCE_MS = 10_000;

/** A device and its adapter. */
interface Requested {
  readonly device: GPUDevice;
  readonly adapter: GPUAdapter;
}

/** Requests a device with limits as high as its adapter allows. @throws {WebGpuUnavailableError|MlpError} as `Gpu.request` */
export async function requestDevice(options: GpuOptions): Promise<Requested> {
  const { tuning = 'off', features = [] } = checkOptions('Gpu.request', options, NAMES);
  assertWord('Gpu.request:', { tuning }, ['off', 'auto', 'full']);
  assertList('Gpu.request:', 'features', features, `['shader-f16']`);
  const given: unknown = options.adapter;
  const first = given === undefined ? await requestAdapter(options) : await checkAdapter(given);
  // Outside of browsers the app must define WebGPU's globals.
  if (typeof GPUBufferUsage === 'undefined') throw (await failures()).noGlobals();
  await checkFeatures(first, options);
  try {
    return await deviceOf(first, options);
  } catch (cause) {
    // An app's own adapter is not replaced: another adapter may be another GPU.
    if (given !== undefined) throw (await failures()).refusedByOwn(cause);
    // An adapter creates one device only, and an expired adapter refuses: try once more with a new adapter.
    const second = await requestAdapter(options).catch(() => undefined);
    if (second === undefined) throw (await failures()).refused(cause);
    return await deviceOf(second, options).catch(async (again: unknown) => {
      throw (await failures()).refused(again);
    });
  }
}

/** Checks an app's own adapter. @throws {WebGpuUnavailableError|MlpError} if it is null or not a GPUAdapter */
async function checkAdapter(given: unknown): Promise<GPUAdapter> {
  if (given === null) throw (await failures()).nullAdapter();
  const { requestDevice, features, limits } = given as Partial<GPUAdapter>;
  if (typeof requestDevice !== 'function' || !features || !limits) throw (await failures()).notAnAdapter(given);
  return given as GPUAdapter;
}

/** Checks the required features. @throws {WebGpuUnavailableError} naming those that the adapter lacks */
async function checkFeatures({ features }: GPUAdapter, options: GpuOptions): Promise<void> {
  const lacking = (options.features ?? []).filter((feature) => !features.has(feature));
  if (lacking.length > 0) throw (await failures()).lacks(lacking, features);
}

async function requestAdapter(options: GpuOptions): Promise<GPUAdapter> {
  if (globalThis.isSecureContext === false) throw (await failures()).insecureContext();
  const api = typeof navigator === 'undefined' ? undefined : (navigator as { gpu?: GPU }).gpu;
  if (api === undefined) {
    const { noWebGpu, notABrowser } = await failures();
    // Browsers define `isSecureContext` in pages and workers; no other runtime does.
    throw globalThis.isSecureContext === undefined ? notABrowser() : noWebGpu();
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ADAPTER_PATIENCE_MS, undefined);
  });
  try {
    // Of these options `requestAdapter` uses only powerPreference.
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

/** Loads the error texts, which most pages never need. */
async function failures(): Promise<typeof import('./unavailable.js')> {
  return await import('./unavailable.js');
}

/**
 * Requests a device from an adapter.
 * @throws whatever the adapter throws
 * @throws {Error} if the device is lost from the beginning, which WebGPU reports only through `device.lost`
 */
async function deviceOf(adapter: GPUAdapter, options: GpuOptions): Promise<Requested> {
  const requiredLimits: Record<string, number> = {};
  // The limits are getters of the prototype, which Object.keys would not list.
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
 * Reads the properties of a device. From Chrome 132 on the device has the adapter's info; other browsers have it on the adapter
 * only, so it is unknown there for a device that was passed to `Gpu.from`.
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
