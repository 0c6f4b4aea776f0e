import type { Gpu } from '../src/index.js';

/** What is computed, as plain data: peers build the same thing from it. */
export type Workload =
  | {
      readonly kind: 'matmul';
      readonly form: 'NN' | 'NT' | 'TN';
      readonly M: number;
      readonly N: number;
      readonly K: number;
    }
  /** A step of sgd with momentum: dense layers with relu, softmax and cross-entropy, data on the GPU already. */
  | { readonly kind: 'step'; readonly layers: readonly number[]; readonly batch: number }
  /** From inputs on the host to probabilities on the host. */
  | { readonly kind: 'predict'; readonly layers: readonly number[]; readonly batch: number }
  /** From nothing to the loss of one step on the host; once in a page. */
  | { readonly kind: 'first-step'; readonly layers: readonly number[]; readonly batch: number };

/** One implementation of a workload, ready to run. */
export interface Contender {
  readonly name: string;
  /** Does it `count` times; resolves when the last result is really there, on the contender's own terms. */
  run(count: number): Promise<void>;
  dispose(): void;
  readonly compileMs?: number;
  readonly dispatches?: number;
  /** Of one run(1), where it is not the case's. */
  readonly flops?: number;
  readonly bytes?: number;
  /** Of the variants of a kernel, the one that the library takes on this adapter. */
  readonly chosen?: boolean;
  /** Bytes that it holds on the GPU. */
  readonly gpuBytes?: number;
}

export interface Context {
  readonly gpu: Gpu;
  readonly peers: boolean;
  readonly full: boolean;
}

export interface Case {
  /** Unique; --only takes a part of it. */
  readonly name: string;
  readonly group: 'adapter' | 'kernel' | 'training' | 'prediction' | 'start';
  /** Set where peers compete. */
  readonly workload?: Workload;
  /** Of one run(1). */
  readonly flops?: number;
  readonly bytes?: number;
  /** Measured on hardware adapters, and on software ones with --full only. */
  readonly large?: boolean;
  /** Measured in every run, since the others are told as shares of it. */
  readonly yardstick?: boolean;
  /** Measured on a device of its own: so that what it compiles and holds is all there is. */
  readonly ownDevice?: boolean;
  /** A figure of the adapter: the value that a median of so many milliseconds stands for. */
  readonly figure?: { readonly unit: 'GFLOP/s' | 'GB/s' | 'µs'; value(median: number, contender: Contender): number };
  prepare(context: Context): Promise<readonly Contender[]>;
  /** Results that follow from those of the contenders, such as the best of them. */
  conclude?(results: readonly Result[]): readonly Result[];
}

/** Another library. Loaded on demand, so that pages without peers stay small. */
export interface Peer {
  readonly name: string;
  /** `undefined` where the library cannot do it. */
  prepare(workload: Workload): Promise<Contender | undefined>;
}

export interface Result {
  readonly case: string;
  readonly group: Case['group'];
  readonly contender: string;
  /** Milliseconds of one run(1): a slope over two counts, or one long run; interleaved with the other contenders. */
  readonly samples: readonly number[];
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
  readonly flops?: number;
  readonly bytes?: number;
  readonly gflops?: number;
  readonly gbps?: number;
  /** The time that the bound below would take, of the time that it took. */
  readonly shareOfPeak?: number;
  /** What takes the most at the adapter's best: the arithmetic, the memory traffic or the dispatches. */
  readonly bound?: 'compute' | 'memory' | 'launch';
  readonly compileMs?: number;
  readonly dispatches?: number;
  readonly gpuBytes?: number;
  readonly chosen?: boolean;
  /** By rival: its median over this one's, so that above 1 this one is faster. */
  readonly ratio?: Readonly<Record<string, number>>;
  /** A figure of the adapter. */
  readonly value?: number;
  readonly unit?: string;
  /** Why there is no measurement. */
  readonly error?: string;
}

/** What --json writes. */
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
    /** The browser, or Node and Dawn. */
    readonly runtime: string;
    readonly cpu?: string;
    readonly versions: Readonly<Record<string, string>>;
    readonly limits: Readonly<Record<string, number>>;
  };
  readonly results: readonly Result[];
}
