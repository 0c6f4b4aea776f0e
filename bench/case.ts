import type { Gpu } from '../src/index.js';

/** Description of a computation as plain data, from which peers build the same computation. */
export type Workload =
  | {
      readonly kind: 'matmul';
      readonly form: 'NN' | 'NT' | 'TN';
      readonly M: number;
      readonly N: number;
      readonly K: number;
    }
  /** A training step of sgd with momentum: dense layers with relu, softmax and cross-entropy, with the data on the GPU. */
  | { readonly kind: 'step'; readonly layers: readonly number[]; readonly batch: number }
  /** A prediction, from inputs on the host to probabilities on the host. */
  | { readonly kind: 'predict'; readonly layers: readonly number[]; readonly batch: number }
  /** Loading, setup and one training step, until its loss is on the host. Measured once in each page. */
  | { readonly kind: 'first-step'; readonly layers: readonly number[]; readonly batch: number };

/** One implementation of a workload, ready to run. */
export interface Contender {
  readonly name: string;
  /** Runs the workload `count` times; resolves when the last result is complete, as the contender's library defines it. */
  run(count: number): Promise<void>;
  dispose(): void;
  readonly compileMs?: number;
  readonly dispatches?: number;
  /** Floating-point operations of run(1), if they differ from the case's. `bytes` likewise. */
  readonly flops?: number;
  readonly bytes?: number;
  /** True for the variant of a kernel that the library chooses on this adapter. */
  readonly chosen?: boolean;
  /** Bytes that the contender holds on the GPU. */
  readonly gpuBytes?: number;
}

export interface Context {
  readonly gpu: Gpu;
  readonly peers: boolean;
  readonly full: boolean;
}

export interface Case {
  /** Unique name; `--only` selects cases by a part of it. */
  readonly name: string;
  readonly group: 'adapter' | 'kernel' | 'training' | 'prediction' | 'start';
  /** Description of the computation, if peers take part. */
  readonly workload?: Workload;
  /** Floating-point operations of run(1), and bytes that it has to move. */
  readonly flops?: number;
  readonly bytes?: number;
  /** True if it is measured on a software adapter only with `--full`. */
  readonly large?: boolean;
  /** True if it is measured in every run, because other results are shares of it. */
  readonly yardstick?: boolean;
  /** True if it needs its own device, so that compile times and bytes are those of this case alone. */
  readonly ownDevice?: boolean;
  /** Figure of the adapter that the case measures: its unit, and its value for a median in milliseconds. */
  readonly figure?: { readonly unit: 'GFLOP/s' | 'GB/s' | 'µs'; value(median: number, contender: Contender): number };
  prepare(context: Context): Promise<readonly Contender[]>;
  /** Additional results that follow from those of the contenders, such as the best of them. */
  conclude?(results: readonly Result[]): readonly Result[];
}

/** Another library that is measured too. It is loaded on demand, so that pages without peers stay small. */
export interface Peer {
  readonly name: string;
  /** Prepares a workload; `undefined` if the library does not support it. */
  prepare(workload: Workload): Promise<Contender | undefined>;
}

export interface Result {
  readonly case: string;
  readonly group: Case['group'];
  readonly contender: string;
  /** Milliseconds of run(1): a slope between two counts, or one long run. Samples of the contenders are interleaved. */
  readonly samples: readonly number[];
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
  readonly flops?: number;
  readonly bytes?: number;
  readonly gflops?: number;
  readonly gbps?: number;
  /** Share of the median that `bound` alone would take at the adapter's best. */
  readonly shareOfPeak?: number;
  /** Limit that takes the most time at the adapter's best: arithmetic, memory traffic or launches. */
  readonly bound?: 'compute' | 'memory' | 'launch';
  readonly compileMs?: number;
  readonly dispatches?: number;
  readonly gpuBytes?: number;
  readonly chosen?: boolean;
  /** For each rival, its median divided by this one: above 1 this contender is faster. */
  readonly ratio?: Readonly<Record<string, number>>;
  /** A figure of the adapter. */
  readonly value?: number;
  readonly unit?: string;
  /** Reason for a missing measurement. */
  readonly error?: string;
}

/** The contents of the file that `--json` writes. */
export interface Report {
  readonly schema: 1;
  readonly date: string;
  readonly commit: string;
  readonly settings: { readonly quick: boolean; readonly full: boolean; readonly only: string };
  readonly environment: {
    readonly adapter: {
      readonly vendor: string;
      readonly architecture: string;
      readonly description: string;
      readonly software: boolean;
    };
    /** Name and version of the browser, or of Node with Dawn. */
    readonly runtime: string;
    readonly cpu?: string;
    readonly versions: Readonly<Record<string, string>>;
    readonly limits: Readonly<Record<string, number>>;
  };
  readonly results: readonly Result[];
}
