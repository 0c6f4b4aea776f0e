import type { Report, Result } from '../../bench/case.js';

interface Measured extends Partial<Omit<Result, 'samples' | 'median' | 'p25' | 'p75'>> {
  readonly case: string;
  readonly contender: string;
  /** Median; eleven samples are made around it. */
  readonly ms: number;
}

/** A result whose quartiles are 2 % to either side of its median. */
export function result({ ms, group = 'kernel', ...rest }: Measured): Result {
  const samples = Array.from({ length: 11 }, (_, i) => ms * (1 + 0.008 * (i - 5)));
  return { group, samples, median: ms, p25: ms * 0.98, p75: ms * 1.02, ...rest };
}

/** Results of a bench case that other libraries have too: ours, two rivals, and one that failed. */
function race(name: string, group: Result['group'], own: Partial<Result>, ms: number): Result[] {
  const rivals = { 'jax-js webgpu': 3.5 * ms, 'tfjs webgl': 2 * ms };
  return [
    result({
      case: name,
      group,
      contender: 'webgpu-mlp',
      ms,
      ratio: Object.fromEntries(Object.entries(rivals).map(([rival, theirs]) => [rival, theirs / ms])),
      ...own,
    }),
    ...Object.entries(rivals).map(([contender, theirs]) => result({ case: name, group, contender, ms: theirs })),
    {
      ...result({ case: name, group, contender: 'tfjs wasm', ms: 0, error: 'The <wasm> backend did not start.' }),
      samples: [],
    },
  ];
}

/** A report as a run writes it: every group, variants of a kernel, rivals, and a failure. */
export function exampleReport(change: Partial<Report> = {}): Report {
  return {
    schema: 1,
    date: '2026-11-21T12:00:00.000Z',
    commit: 'abc1234',
    settings: { quick: false, full: false, only: '' },
    environment: {
      adapter: { vendor: 'google', architecture: 'swiftshader', description: '', software: true },
      runtime: 'Chrome 156',
      cpu: '2 cores',
      versions: { 'webgpu-mlp': '0.1.0', '@jax-js/jax': '0.1.25' },
      limits: { maxBufferSize: 268435456 },
    },
    results: [
      result({ case: 'adapter FMA peak', group: 'adapter', contender: 'vec4f', ms: 4, value: 49.5, unit: 'GFLOP/s' }),
      result({ case: 'adapter FMA peak', group: 'adapter', contender: 'f32', ms: 8, value: 25, unit: 'GFLOP/s' }),
      result({ case: 'adapter launch', group: 'adapter', contender: 'dispatch', ms: 0.01, value: 10, unit: 'µs' }),
      result({ case: 'adapter launch', group: 'adapter', contender: 'submit', ms: 0.05, value: 50, unit: 'µs' }),
      ...race(
        'matmul NN 512×512×512',
        'kernel',
        {
          contender: 'matmul-quad 32×16',
          chosen: true,
          gflops: 8.94,
          gbps: 0.105,
          shareOfPeak: 0.181,
          bound: 'compute',
          compileMs: 1200,
        },
        30,
      ),
      result({ case: 'matmul NN 512×512×512', contender: 'matmul-tiled', ms: 71.25, gflops: 3.77 }),
      ...race('step 784-400-200-10 batch 128', 'training', { dispatches: 11, gpuBytes: 12_500_000 }, 25),
      ...race('predict 784-400-200-10 batch 1', 'prediction', {}, 0.51234),
      ...race('first step 784-128-10 batch 32', 'start', {}, 420),
    ],
    ...change,
  };
}
