import { MlpError, WebGpuUnavailableError } from '../base/errors.js';
import type { DeviceLimits } from '../plan/dispatch.js';
import type { GpuInfo, GpuOptions } from './gpu.js';
import type { Missing } from './unavailable.js';

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
  if (given !== undefined) return await ofGivenAdapter(given, options);
  const first = await requestAdapter(options);
  try {
    return await deviceOf(first, options);
  } catch {
    // An adapter gives one device, and one that is worn out may refuse: a fresh one gets a second chance.
    const second = await requestAdapter(options);
    return await deviceOf(second, options).catch((cause: unknown) => {
      throw refused(cause);
    });
  }
}

/** The app's own adapter and no other: it may be another GPU than the browser's first. */
async function ofGivenAdapter(given: unknown, options: GpuOptions): Promise<Requested> {
  if (given === null) {
    throw new WebGpuUnavailableError(
      'no-adapter',
      'Gpu.request: adapter is null, as requestAdapter() gives where it finds none. Ask for another adapter, or leave the option out.',
    );
  }
  if (typeof (given as Partial<GPUAdapter>).requestDevice !== 'function') {
    throw new MlpError('bad-option', `Gpu.request: adapter is ${String(given)}; it must be a GPUAdapter.`);
  }
  return await deviceOf(given as GPUAdapter, options).catch((cause: unknown) => {
    throw refused(cause, ' An adapter gives one device: pass a fresh one, or share the device with Gpu.from().');
  });
}

export function refused(cause: unknown, remedy = ''): WebGpuUnavailableError {
  return new WebGpuUnavailableError('device-refused', `The adapter refused a device: ${String(cause)}${remedy}`, {
    cause,
  });
}

async function requestAdapter(options: GpuOptions): Promise<GPUAdapter> {
  if (globalThis.isSecureContext === false) return await missing('insecure-context');
  const api = typeof navigator === 'undefined' ? undefined : (navigator as { gpu?: GPU }).gpu;
  if (api === undefined) return await missing('no-webgpu');
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ADAPTER_PATIENCE_MS, undefined);
  });
  // Of the options it takes powerPreference alone.
  const adapter = await Promise.race([api.requestAdapter(options as GPURequestAdapterOptions), patience]);
  clearTimeout(timer);
  return adapter ?? (await missing(adapter === null ? 'no-adapter' : 'no-answer'));
}

/** Messages are loaded where one is needed. @throws {WebGpuUnavailableError} always */
async function missing(what: Missing): Promise<never> {
  throw (await import('./unavailable.js')).unavailable(what);
}

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
  return { adapter, device: await adapter.requestDevice({ label, requiredLimits, requiredFeatures }) };
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
