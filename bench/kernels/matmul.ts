import { choose, type Dispatch, type Program } from '../../src/gpu/dispatch.js';
import { type Gpu, Tensor } from '../../src/index.js';
import { type MatmulOptions, matmul } from '../../src/kernels/matmul.js';
import { readBack } from '../adapter/launch.js';
import type { Case, Contender, Workload } from '../case.js';
import { contenders } from '../contenders.js';
import { replay } from '../replay.js';
import { randomTensor } from './operands.js';

type Product = Extract<Workload, { kind: 'matmul' }>;

interface Shape {
  readonly form: Product['form'];
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** As in dW: the last of the M rows of op(A) is ones, and not stored. */
  readonly onesRow?: boolean;
  readonly large?: boolean;
}

const square = (form: Product['form'], size: number): Shape => ({ form, M: size, N: size, K: size });

/** Squares, the products of 784-400-200-10, and those of layers that fill a GPU. */
const shapes: readonly Shape[] = [
  square('NN', 512),
  square('NT', 512),
  square('TN', 512),
  square('NN', 1024),
  { form: 'NN', M: 128, N: 400, K: 784 },
  { form: 'NN', M: 128, N: 200, K: 400 },
  { form: 'NN', M: 128, N: 10, K: 200 },
  { form: 'NN', M: 1, N: 400, K: 784 },
  { form: 'NN', M: 8, N: 400, K: 784 },
  { form: 'TN', M: 785, N: 400, K: 128, onesRow: true },
  { form: 'TN', M: 401, N: 200, K: 128, onesRow: true },
  { form: 'NT', M: 128, N: 400, K: 200 },
  { form: 'NT', M: 128, N: 200, K: 10 },
  ...(['NN', 'NT', 'TN'] as const).flatMap((form) => [
    { ...square(form, 4096), large: true },
    { form, M: 128, N: 4096, K: 4096, large: true },
  ]),
  { form: 'NN', M: 1, N: 4096, K: 4096, large: true },
];

/** A product whose operands are on the GPU. */
interface Prepared {
  readonly dispatch: Dispatch;
  readonly C: Tensor;
  readonly tensors: readonly Tensor[];
}

function prepared(gpu: Gpu, { form, M, N, K, onesRow = false }: Shape): Prepared {
  const stored = M - (onesRow ? 1 : 0);
  const [transposeA, transposeB] = [form === 'TN', form === 'NT'];
  const A = randomTensor(gpu, transposeA ? [K, stored] : [stored, K], 1);
  const B = randomTensor(gpu, transposeB ? [N, K] : [K, N], 2);
  const C = Tensor.empty(gpu, [M, N], 'C');
  const options: MatmulOptions = { transposeA, transposeB, onesRow };
  return { dispatch: matmul(A, B, C, options), C, tensors: [A, B, C] };
}

/** The dispatch with each of its programs alone, and what to call it: the variant, and the overrides that tell it apart. */
export function candidates(dispatch: Dispatch): { readonly name: string; readonly call: Dispatch; program: Program }[] {
  return dispatch.programs.map((program) => {
    const namesakes = dispatch.programs.filter(({ variant }) => variant === program.variant);
    const differing = Object.entries(program.overrides).filter(([override, value]) =>
      namesakes.some(({ overrides }) => overrides[override] !== value),
    );
    const settings = differing.map(([override, value]) => `${override}=${value}`).join(' ');
    const name = settings === '' ? program.variant : `${program.variant} ${settings}`;
    // Alone: nothing takes over from it.
    return { name, call: { ...dispatch, programs: [{ ...program, later: undefined }] }, program };
  });
}

/** What a plan runs in the long run. */
function lasting(dispatch: Dispatch, gpu: Gpu): Program['variant'] {
  const program = choose(dispatch, gpu.info);
  return (program.later ?? program).variant;
}

function productCase(shape: Shape): Case {
  const { form, M, N, K, onesRow = false, large = false } = shape;
  const stored = M - (onesRow ? 1 : 0);
  return {
    name: `matmul ${form} ${M}×${N}×${K}${onesRow ? ' ones' : ''}`,
    group: 'kernel',
    // Nobody else computes the gradient of the bias in the same product.
    workload: { kind: 'matmul', form, M: stored, N, K },
    flops: 2 * M * N * K,
    bytes: 4 * (stored * K + K * N + M * N),
    ...(large ? { large } : {}),
    prepare({ gpu }) {
      const { dispatch, tensors } = prepared(gpu, shape);
      const chosen = lasting(dispatch, gpu);
      return contenders(
        candidates(dispatch).map(({ name, call, program }) => ({
          name,
          make: () => replay(gpu, name, [call], tensors, program.variant === chosen ? { chosen: true } : {}),
        })),
      );
    },
  };
}

/** One product at a time, its result read back: what a single prediction waits for, beside the way there and back alone. */
const alone: Case = {
  name: 'matmul NN 1×400×784 read back',
  group: 'kernel',
  async prepare({ gpu }) {
    const { dispatch, C, tensors } = prepared(gpu, { form: 'NN', M: 1, N: 400, K: 784 });
    const chosen = lasting(dispatch, gpu);
    const staging = gpu.allocateStaging(C.byteLength, 'C on the host');
    const once = (work: () => void): Contender['run'] => {
      return async (count) => {
        for (let i = 0; i < count; i++) {
          work();
          await readBack(gpu, C, staging);
        }
      };
    };
    const products = await contenders(
      candidates(dispatch).map(({ name, call, program }) => ({
        name,
        async make() {
          const product = await replay(gpu, name, [call], tensors, program.variant === chosen ? { chosen: true } : {});
          return { ...product, run: once(() => product.submit(1)) };
        },
      })),
    );
    return [{ name: 'nothing but reading back', run: once(() => {}), dispose: () => gpu.free(staging) }, ...products];
  },
};

export const products: readonly Case[] = [...shapes.map(productCase), alone];
