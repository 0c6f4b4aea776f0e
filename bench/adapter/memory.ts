import { type Gpu, Tensor } from '../../src/index.js';
import { dispatch, program } from '../../src/plan/dispatch.js';
import type { Shader } from '../../src/plan/shader.js';
import type { Case, Contender } from '../case.js';
import { contenders } from '../contenders.js';
import { replay } from '../replay.js';

const WORKGROUP = 256;
/** vec4s that an invocation copies. They are one grid of vec4s apart. */
const PER_THREAD = 4;

const shader: Shader = {
  name: 'copy',
  code: `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> destination: array<vec4f>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let stride = grid.x * ${WORKGROUP}u;
  ${Array.from({ length: PER_THREAD }, (_, i) => `destination[id.x + ${i}u * stride] = source[id.x + ${i}u * stride];`).join('\n  ')}
}`,
  overrides: {},
  uniforms: {},
  buffers: {
    source: { binding: 0, access: 'read', type: 'array<vec4f>' },
    destination: { binding: 1, access: 'read_write', type: 'array<vec4f>' },
  },
};

/** Bytes to read, and to write: more than any last-level cache holds, if the device's limits allow that. */
function largest(gpu: Gpu): number {
  const { maxStorageBufferBindingSize, maxBufferSize } = gpu.info.limits;
  const wanted = gpu.info.software ? 2 ** 27 : 2 ** 29;
  return Math.min(wanted, 2 ** Math.floor(Math.log2(Math.min(maxStorageBufferBindingSize, maxBufferSize))));
}

async function copying(gpu: Gpu, name: string, byteLength: number): Promise<Contender> {
  const elements = byteLength / 4;
  const source = Tensor.empty(gpu, [elements], 'source');
  const destination = Tensor.empty(gpu, [elements], 'destination');
  const call = dispatch(shader, {
    label: `copy ${byteLength}`,
    programs: [program(shader, {}, [byteLength / 16 / PER_THREAD / WORKGROUP])],
    uniforms: {},
    buffers: { source, destination },
  });
  return await replay(gpu, name, [call], [source, destination], { bytes: 2 * byteLength });
}

/** Peak bandwidth of the adapter for copies, beyond its caches and within them. */
export const copyBandwidth: Case = {
  name: 'adapter copy bandwidth',
  group: 'adapter',
  yardstick: true,
  figure: { unit: 'GB/s', value: (median, { bytes = 0 }) => bytes / median / 1e6 },
  prepare({ gpu }) {
    const sizes = [
      { name: `${largest(gpu) / 2 ** 19} MiB`, byteLength: largest(gpu) },
      { name: '1 MiB', byteLength: 2 ** 19 },
    ];
    return contenders(sizes.map(({ name, byteLength }) => ({ name, make: () => copying(gpu, name, byteLength) })));
  },
};
