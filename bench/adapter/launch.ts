import { bindAll, encode, type Pass } from '../../src/gpu/replay.js';
import { type Gpu, Tensor } from '../../src/index.js';
import { type Dispatch, dispatch, program } from '../../src/plan/dispatch.js';
import type { DeviceBuffer } from '../../src/plan/memory.js';
import type { Shader } from '../../src/plan/shader.js';
import type { Case } from '../case.js';

/** The smallest dispatch on which a later one can depend. */
const shader: Shader = {
  name: 'touch',
  code: `
@group(0) @binding(0) var<storage, read_write> word: array<f32>;
@compute @workgroup_size(1)
fn main() { word[0] += 1.0; }`,
  overrides: {},
  uniforms: {},
  buffers: { word: { binding: 0, access: 'read_write', type: 'array<f32>' } },
};

const touch = (word: Tensor): Dispatch =>
  dispatch(shader, { label: 'touch', programs: [program(shader, {}, [1])], uniforms: {}, buffers: { word } });

/** Number of buffers that independent dispatches use in turn. */
const INDEPENDENT = 64;

/** Names of the contenders with which other measurements are compared. */
export const DEPENDENT = 'dependent dispatch';

/** Reads a buffer's first bytes on the host: the shortest possible round trip. */
export async function readBack(gpu: Gpu, { buffer }: Tensor, staging: DeviceBuffer): Promise<void> {
  gpu.copy([{ from: buffer, fromOffset: 0, to: staging, toOffset: 0, byteLength: staging.size }]);
  await gpu.readStaging(staging, staging.size, true);
}

/** Cost of launching a dispatch, and of a round trip between host and GPU. */
export const launchCosts: Case = {
  name: 'adapter launch',
  group: 'adapter',
  yardstick: true,
  figure: { unit: 'µs', value: (median) => 1000 * median },
  async prepare({ gpu }) {
    const first = Tensor.empty(gpu, [4], 'word 0');
    const words = [
      first,
      ...Array.from({ length: INDEPENDENT - 1 }, (_, i) => Tensor.empty(gpu, [4], `word ${i + 1}`)),
    ];
    const { commands, uniforms } = bindAll(gpu, words.map(touch));
    await Promise.all(commands.map(({ pipeline }) => pipeline.ready()));
    const launch = (pass: Pass, number: number): void => encode(pass, commands.slice(number, number + 1));
    const staging = gpu.allocate(16, 'round trip', 'staging');
    let freed = false;
    const dispose = (): void => {
      if (freed) return;
      freed = true;
      gpu.free(uniforms);
      for (const word of words) word.dispose();
      gpu.free(staging);
    };
    const costs: Record<string, (count: number) => void | Promise<void>> = {
      [DEPENDENT]: (count) =>
        gpu.submit('dependent', (pass) => {
          for (let i = 0; i < count; i++) launch(pass, 0);
        }),
      'independent dispatch': (count) =>
        gpu.submit('independent', (pass) => {
          for (let i = 0; i < count; i++) launch(pass, i % INDEPENDENT);
        }),
      'pass of one dispatch': (count) => {
        const encoder = gpu.device.createCommandEncoder();
        for (let i = 0; i < count; i++) {
          const pass = encoder.beginComputePass();
          launch(pass, 0);
          pass.end();
        }
        gpu.device.queue.submit([encoder.finish()]);
      },
      'submit of one dispatch': (count) => {
        for (let i = 0; i < count; i++) gpu.submit('submit', (pass) => launch(pass, 0));
      },
      'round trip': async (count) => {
        for (let i = 0; i < count; i++) await readBack(gpu, first, staging);
      },
      'round trip of a dispatch': async (count) => {
        for (let i = 0; i < count; i++) {
          gpu.submit('submit', (pass) => launch(pass, 0));
          await readBack(gpu, first, staging);
        }
      },
    };
    return Object.entries(costs).map(([name, work]) => ({
      name,
      dispose,
      async run(count) {
        await work(count);
        await gpu.idle();
      },
    }));
  },
};
