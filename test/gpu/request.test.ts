import { afterEach, expect, test, vi } from 'vitest';
import { DisposedError, Gpu, type GpuOptions, MlpError, WebGpuUnavailableError } from '../../src/kernels.js';
import { nullAdapter } from '../support/null-gpu.js';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A device with as much of WebGPU as a `Gpu` touches before it is used. */
function fakeDevice(changes: object = {}): GPUDevice {
  const device = {
    features: new Set<string>(),
    limits: { maxBufferSize: 2 ** 28 },
    lost: new Promise(() => undefined),
    addEventListener: () => undefined,
    createBuffer: () => undefined,
    destroy: () => undefined,
    ...changes,
  };
  return device as unknown as GPUDevice;
}

/** An adapter whose `requestDevice` is a spy. */
function fakeAdapter(changes: object = {}): GPUAdapter {
  const requestDevice = vi.fn(async () => fakeDevice());
  return { features: new Set<string>(), limits: {}, requestDevice, ...changes } as unknown as GPUAdapter;
}

const refuse = (message: string) => async (): Promise<never> => {
  throw new DOMException(message, 'OperationError');
};

/** A page whose `requestAdapter` gives these, one after the other. */
function page(...adapters: (GPUAdapter | null | Promise<never>)[]): {
  readonly requestAdapter: ReturnType<typeof vi.fn>;
} {
  const gpu = { requestAdapter: vi.fn(async () => await (adapters.shift() ?? null)) };
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('navigator', { gpu });
  return gpu;
}

async function failure(options?: GpuOptions): Promise<MlpError> {
  const error: unknown = await Gpu.request(options).catch((cause: unknown) => cause);
  if (!(error instanceof MlpError)) throw new Error(`Gpu.request gave ${String(error)}.`);
  return error;
}

const bare: [string, object | undefined][] = [
  ['Node 20, which has no navigator', undefined],
  ['Node 21, whose navigator has no gpu', { userAgent: 'Node.js/21' }],
];
test.for(bare)('%s: the message says how to get an adapter there', async ([, navigator]) => {
  vi.stubGlobal('navigator', navigator);
  const error = await failure();
  expect(error).toBeInstanceOf(WebGpuUnavailableError);
  expect(error).toMatchObject({ reason: 'no-webgpu', code: 'no-webgpu' });
  expect(error.message).toMatch(
    /^This is not a browser: there is no navigator\.gpu\. In Node, .* webgpu .*\{ adapter: /,
  );
  expect(error.message).not.toContain('This browser');
});

test('a browser without WebGPU is told which browsers have it', async () => {
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('navigator', {});
  const error = await failure();
  expect(error).toMatchObject({ reason: 'no-webgpu' });
  expect(error.message).toMatch(/^This browser has no WebGPU\. Chrome/);
});

test('an insecure page is told so', async () => {
  vi.stubGlobal('isSecureContext', false);
  vi.stubGlobal('location', { origin: 'http://app.test' });
  const error = await failure();
  expect(error).toMatchObject({ reason: 'insecure-context' });
  expect(error.message).toContain('this one is http://app.test. Use https or localhost.');
});

test('an adapter in Node works, and without the globals the message says what is missing', async () => {
  const gpu = await Gpu.request({ adapter: await nullAdapter(), label: 'mine' });
  expect(gpu.device.label).toBe('mine');
  expect(gpu.info.limits.maxBufferSize).toBeGreaterThan(0);
  gpu.destroy();
  expect(() => gpu.check()).toThrow(DisposedError);
  vi.stubGlobal('GPUBufferUsage', undefined);
  const error = await failure({ adapter: await nullAdapter() });
  expect(error).toMatchObject({ reason: 'no-webgpu' });
  expect(error.message).toMatch(/^There is an adapter, but WebGPU's globals are missing\. In Node, /);
});

test('adapter: null is what requestAdapter() gives where there is none', async () => {
  const { requestAdapter } = page(fakeAdapter());
  const error = await failure({ adapter: null as unknown as GPUAdapter });
  expect(error).toBeInstanceOf(WebGpuUnavailableError);
  expect(error).toMatchObject({ reason: 'no-adapter' });
  expect(error.message).toMatch(/^Gpu\.request: adapter is null: .* Request another adapter, or omit the option\.$/);
  expect(requestAdapter).not.toHaveBeenCalled();
});

const noAdapters: [unknown, string][] = [
  [Promise.resolve(fakeAdapter()), '[object Promise]'],
  ['gpu', '[object String]'],
  [7, '[object Number]'],
  [{}, '[object Object]'],
  [Object.create(null), '[object Object]'],
  [{ requestDevice: () => undefined }, '[object Object]'],
  [fakeDevice(), '[object Object]'],
];
test.for(noAdapters)('%o is no adapter', async ([adapter, kind]) => {
  const { requestAdapter } = page(fakeAdapter());
  const error = await failure({ adapter: adapter as GPUAdapter });
  expect(error.code).toBe('bad-option');
  expect(error.message).toBe(
    `Gpu.request: adapter is ${kind}; it must be a GPUAdapter, from await navigator.gpu.requestAdapter().`,
  );
  expect(requestAdapter).not.toHaveBeenCalled();
});

test.for([undefined, null, Promise.resolve(fakeDevice()), fakeAdapter()])('Gpu.from: %o is no device', (device) => {
  expect(() => Gpu.from(device as unknown as GPUDevice)).toThrow(MlpError);
  expect(() => Gpu.from(device as unknown as GPUDevice)).toThrow(/^Gpu\.from: device is .+; it must be a GPUDevice\.$/);
});

test("an app's adapter that refuses, or is consumed, is not replaced by another", async () => {
  const { requestAdapter } = page(fakeAdapter(), fakeAdapter());
  const consumed = await nullAdapter();
  const device = await consumed.requestDevice();
  const refusing: [GPUAdapter, string][] = [
    [fakeAdapter({ requestDevice: refuse('out of devices') }), 'OperationError: out of devices.'],
    [consumed, 'consumed'],
  ];
  for (const [adapter, cause] of refusing) {
    const error = await failure({ adapter });
    expect(error).toMatchObject({ reason: 'device-refused', cause: { name: 'OperationError' } });
    expect(error.message).toMatch(/^Gpu\.request: the adapter refused a device: OperationError: /);
    expect(error.message).toContain(cause);
    expect(error.message).toMatch(
      / An adapter gives only one device. Pass a new adapter, or share the device with Gpu\.from\(\)\.$/,
    );
  }
  expect(requestAdapter).not.toHaveBeenCalled();
  device.destroy();
});

test('a feature that the adapter lacks is named, with what there is, before a device is asked for', async () => {
  const adapter = fakeAdapter({ features: new Set(['subgroups', 'shader-f16']) });
  for (const own of [true, false]) {
    page(adapter);
    const features = ['shader-f16', 'timestamp-query', 'depth-clip-control'] as const;
    const error = await failure(own ? { adapter, features } : { features });
    expect(error).toMatchObject({ reason: 'device-refused' });
    expect(error.message).toBe(
      'Gpu.request: the adapter has no timestamp-query and no depth-clip-control; it has shader-f16, subgroups. Remove from features what the app does not need.',
    );
  }
  expect(adapter.requestDevice).not.toHaveBeenCalled();
});

test('a limit that the adapter promises and then refuses is said in the words of WebGPU', async () => {
  const real = await nullAdapter();
  const adapter = fakeAdapter({
    limits: { maxBufferSize: 2 ** 40 },
    requestDevice: (descriptor: GPUDeviceDescriptor) => real.requestDevice(descriptor),
  });
  const error = await failure({ adapter });
  expect(error).toMatchObject({ reason: 'device-refused' });
  expect(error.message).toMatch(
    /Required limit \(1099511627776\) is greater than the supported limit[\s\S]*maxBufferSize/,
  );
});

test('of its own adapters one that refuses gets a successor, and no third', async () => {
  const worn = (): GPUAdapter => fakeAdapter({ requestDevice: refuse('worn out') });
  const fresh = fakeAdapter();
  expect(page(worn(), fresh).requestAdapter).not.toHaveBeenCalled();
  (await Gpu.request()).destroy();
  expect(fresh.requestDevice).toHaveBeenCalledTimes(1);
  const { requestAdapter } = page(worn(), worn(), fakeAdapter());
  const error = await failure();
  expect(error.message).toBe(
    'The adapter refused a device: OperationError: worn out. Reload the page, or restart the browser.',
  );
  expect(requestAdapter).toHaveBeenCalledTimes(2);
  // The refusal is the news, not that there is no second adapter.
  page(worn());
  expect((await failure()).message).toContain('worn out');
});

test('a device that is lost at birth counts as refused, and gets a successor', async () => {
  const lost = Promise.resolve({ reason: 'unknown', message: 'born lost' });
  const stillborn = (): GPUAdapter => fakeAdapter({ requestDevice: async () => fakeDevice({ lost }) });
  expect((await failure({ adapter: stillborn() })).message).toContain('refused a device: Error: born lost. An adapter');
  page(stillborn(), fakeAdapter());
  (await Gpu.request()).destroy();
  page(stillborn(), stillborn());
  expect(await failure()).toMatchObject({ reason: 'device-refused' });
});

test('no adapter, a rejected request and one without an answer each say so, and no timer stays', async () => {
  vi.useFakeTimers();
  page(null);
  expect(await failure()).toMatchObject({
    reason: 'no-adapter',
    message: expect.stringMatching(/^WebGPU found no adapter/),
  });
  const unknown = Promise.reject(new TypeError("'fast' is not a valid enum value"));
  page(unknown);
  const refused = await failure({ powerPreference: 'fast' as 'low-power' });
  expect(refused).toMatchObject({ reason: 'no-adapter' });
  expect(refused.message).toBe("WebGPU refused to look for an adapter: TypeError: 'fast' is not a valid enum value.");
  expect(vi.getTimerCount()).toBe(0);
  page(new Promise<never>(() => undefined));
  const silent = failure();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await silent).toMatchObject({
    reason: 'no-adapter',
    message: expect.stringMatching(/did not answer in 10 s/),
  });
  page(fakeAdapter());
  (await Gpu.request()).destroy();
  expect(vi.getTimerCount()).toBe(0);
});

const told = { vendor: 'acme', architecture: 'one', description: 'Acme One' };
const nothing = { vendor: '', architecture: '', description: '', software: false };
const infos: [string, object, object, object][] = [
  ['the device', { adapterInfo: told }, { info: { ...told, vendor: 'other' } }, { ...told, software: false }],
  ['the adapter, where the device does not', {}, { info: told }, { ...told, software: false }],
  ['nobody', {}, {}, nothing],
  ['the adapter: a fallback', {}, { info: { ...told, isFallbackAdapter: true } }, { ...told, software: true }],
  ['the device: a fallback', { adapterInfo: { isFallbackAdapter: true } }, {}, { ...nothing, software: true }],
  ['an older adapter, itself a fallback', {}, { info: told, isFallbackAdapter: true }, { ...told, software: true }],
  ['only that it is a fallback', {}, { isFallbackAdapter: true }, { ...nothing, software: true }],
  [
    'by its name that it is a CPU',
    {},
    { info: { vendor: 'google', architecture: 'swiftshader' } },
    { vendor: 'google', architecture: 'swiftshader', description: '', software: true },
  ],
];
test.for(infos)('info, told by %s', async ([, device, adapter, info]) => {
  const requestDevice = async (): Promise<GPUDevice> => fakeDevice(device);
  const gpu = await Gpu.request({ adapter: fakeAdapter({ requestDevice, ...adapter }) });
  expect(gpu.info).toMatchObject(info);
});

test('info of a device of which only the app knows the adapter is empty, and takes it for a GPU', () => {
  expect(Gpu.from(fakeDevice()).info).toMatchObject({ ...nothing, parallelWidth: 8 });
  expect(Gpu.from(fakeDevice({ adapterInfo: told })).info).toMatchObject(told);
});
