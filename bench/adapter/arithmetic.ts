import { type Gpu, Tensor } from '../../src/index.js';
import type { Case, Contender, Result } from '../case.js';
import { contenders } from '../contenders.js';
import { replay } from '../replay.js';
import { type FmaForm, fma, nameOf, resultsFor } from './fma.js';

const forms: readonly FmaForm[] = [
  ...[2, 4, 8].flatMap((chains) => [
    { type: 'f32' as const, chains, builtin: false },
    { type: 'vec4f' as const, chains, builtin: false },
  ]),
  { type: 'vec4f', chains: 2, builtin: true },
  { type: 'vec4f', chains: 4, builtin: true },
  { type: 'f32', chains: 8, builtin: true },
];

/** Size of a dispatch that takes some milliseconds, for GPUs and for software adapters. */
const size = ({ info: { software } }: Gpu): { rounds: number; workgroups: number } =>
  software ? { rounds: 8, workgroups: 64 } : { rounds: 16, workgroups: 8192 };

const operands = (gpu: Gpu, workgroups: number): { factors: Tensor; results: Tensor } => ({
  factors: Tensor.from(gpu, [0.999, 0.001, 1e-6], [3], 'factors'),
  results: Tensor.empty(gpu, [resultsFor(workgroups)], 'results'),
});

/** Peak arithmetic throughput of the adapter, measured with multiply-adds. */
export const fmaPeak: Case = {
  name: 'adapter FMA peak',
  group: 'adapter',
  yardstick: true,
  figure: { unit: 'GFLOP/s', value: (median, { flops = 0 }) => flops / median / 1e6 },
  prepare({ gpu }) {
    const { rounds, workgroups } = size(gpu);
    const { factors, results } = operands(gpu, workgroups);
    return contenders(
      forms.map((form) => ({
        name: nameOf(form),
        make: () => {
          const call = fma(form, rounds, workgroups, factors, results);
          return replay(gpu, nameOf(form), [call], [factors, results], { flops: call.flops });
        },
      })),
    );
  },
  conclude: (results) => best(results, 'best form'),
};

/** The largest of several figures, as one additional result. */
export function best(results: readonly Result[], contender: string): Result[] {
  const measured = results.filter(({ value }) => value !== undefined);
  const [first] = measured.sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  return first === undefined ? [] : [{ ...first, contender: `${contender}: ${first.contender}` }];
}

const WIDTHS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/** Rounds with which a single workgroup takes far longer than a launch. */
const widthRounds = ({ info: { software } }: Gpu): number => (software ? 16 : 512);
/** Share of the largest grid's throughput at which the adapter counts as filled. */
const FILLED = 0.85;

/** Number of workgroups that the adapter runs at once: the number beyond which the throughput no longer grows. */
export const parallelWidth: Case = {
  name: 'adapter parallel width',
  group: 'adapter',
  figure: { unit: 'GFLOP/s', value: (median, { flops = 0 }) => flops / median / 1e6 },
  prepare({ gpu }) {
    const { factors, results } = operands(gpu, Math.max(...WIDTHS));
    const form: FmaForm = { type: 'vec4f', chains: 2, builtin: false };
    const make = (workgroups: number): Promise<Contender> => {
      const call = fma(form, widthRounds(gpu), workgroups, factors, results);
      return replay(gpu, `${workgroups} workgroups`, [call], [factors, results], { flops: call.flops });
    };
    return contenders(WIDTHS.map((width) => ({ name: `${width} workgroups`, make: () => make(width) })));
  },
  conclude(results) {
    const most = results.at(-1)?.value ?? 0;
    const knee = results.find(({ value = 0 }) => value >= FILLED * most);
    if (knee === undefined || most === 0) return [];
    return [{ ...knee, contender: 'knee', value: Number.parseInt(knee.contender, 10), unit: 'workgroups' }];
  },
};
