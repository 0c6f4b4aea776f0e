import { expect, test, vi } from 'vitest';
import { dense, Gpu, type GpuOptions, Mlp, WebGpuUnavailableError } from '../../src/index.js';

async function adapterOfApp(): Promise<GPUAdapter> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('no adapter');
  return adapter;
}

/** Takes properties from prototypes while `work` runs, as if this browser did not have them yet. */
async function without(taken: readonly (readonly [object, string])[], work: () => Promise<void>): Promise<void> {
  const restore = taken.map(([prototype, name]) => {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    if (descriptor === undefined) throw new Error(`There is no ${name} to be taken.`);
    Reflect.deleteProperty(prototype, name);
    return () => Object.defineProperty(prototype, name, descriptor);
  });
  try {
    await work();
  } finally {
    for (const put of restore) put();
  }
}

const deviceInfo = [GPUDevice.prototype, 'adapterInfo'] as const;
const adapterInfo = [GPUAdapter.prototype, 'info'] as const;
const infoFallback = [GPUAdapterInfo.prototype, 'isFallbackAdapter'] as const;

test('where the device does not know its adapter (Safari, Chrome before 132), the adapter tells', async () => {
  using now = await Gpu.request();
  const { vendor, architecture, description, software } = now.info;
  expect([vendor, software]).not.toEqual(['', false]);
  await without([deviceInfo], async () => {
    using gpu = await Gpu.request();
    expect(gpu.info).toMatchObject({ vendor, architecture, description, software });
    using model = await Mlp.create(gpu, { inputs: 2, layers: [dense(2)] });
    expect((await model.predict([1, 2])).length).toBe(2);
  });
});

test('where nobody tells, strings are empty, and an adapter that calls itself a fallback is a software one', async () => {
  await without([deviceInfo, adapterInfo], async () => {
    const unknown = { vendor: '', architecture: '', description: '' };
    const adapter = await adapterOfApp();
    Object.defineProperty(adapter, 'isFallbackAdapter', { value: true });
    using own = await Gpu.request({ adapter });
    expect(own.info).toMatchObject({ ...unknown, software: true });
    using plain = await Gpu.request();
    expect(plain.info).toMatchObject({ ...unknown, software: false });
    const device = await (await adapterOfApp()).requestDevice();
    using shared = Gpu.from(device);
    expect(shared.info).toMatchObject({ ...unknown, software: false });
    device.destroy();
  });
});

test('where the info does not say that it is a fallback (Chrome before 136), the adapter does, or its name', async () => {
  await without([infoFallback], async () => {
    const adapter = await adapterOfApp();
    Object.defineProperty(adapter, 'isFallbackAdapter', { value: true });
    using own = await Gpu.request({ adapter });
    expect(own.info.software).toBe(true);
    using named = await Gpu.request();
    expect(named.info.software).toBe(/swiftshader/i.test(named.info.architecture));
  });
});

test("an app's own adapter is used up, refused or no adapter at all: no other is asked for", async () => {
  const adapter = await adapterOfApp();
  const requestAdapter = vi.spyOn(navigator.gpu, 'requestAdapter');
  try {
    using gpu = await Gpu.request({ adapter });
    expect(gpu.memory.buffers).toBe(0);
    const refused: [GpuOptions, string, RegExp][] = [
      [
        { adapter },
        'device-refused',
        /consumed.* An adapter gives only one device. Pass a new adapter, or share the device/is,
      ],
      [{ adapter: null as unknown as GPUAdapter }, 'no-adapter', /^Gpu\.request: adapter is null/],
      [{ adapter: Promise.resolve(adapter) as unknown as GPUAdapter }, 'bad-option', /adapter is \[object Promise\]; /],
      [{ adapter: navigator.gpu as unknown as GPUAdapter }, 'bad-option', /adapter is \[object GPU\]; /],
      [{ adapter: gpu.device as unknown as GPUAdapter }, 'bad-option', /adapter is \[object GPUDevice\]; /],
    ];
    for (const [options, code, message] of refused) {
      const error: unknown = await Gpu.request(options).catch((cause: unknown) => cause);
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    }
    expect(requestAdapter).not.toHaveBeenCalled();
  } finally {
    requestAdapter.mockRestore();
  }
});

test('a feature that the adapter lacks and a preference that there is not are refused in words', async () => {
  const lacking = 'texture-compression-of-mine' as GPUFeatureName;
  await expect(Gpu.request({ features: [lacking] })).rejects.toThrow(WebGpuUnavailableError);
  await expect(Gpu.request({ features: [lacking] })).rejects.toThrow(
    /^Gpu\.request: the adapter has no texture-compression-of-mine; it has \w/,
  );
  const powerPreference = 'fast' as GPUPowerPreference;
  await expect(Gpu.request({ powerPreference })).rejects.toThrow(WebGpuUnavailableError);
  await expect(Gpu.request({ powerPreference })).rejects.toThrow(/^WebGPU refused to look for an adapter: .*fast/);
});

test('a browser without navigator.gpu is told which browsers have it', async () => {
  await without([[Navigator.prototype, 'gpu']], async () => {
    await expect(Gpu.request()).rejects.toThrow(
      /^This browser has no WebGPU\. Chrome and Edge have it from version 113/,
    );
  });
});
