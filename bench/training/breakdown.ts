import type { Gpu } from '../../src/index.js';
import type { Case, Contender, Result } from '../case.js';
import { watchCompilations } from '../compilations.js';
import { resultOf } from '../judge.js';
import { createModel, createTrainer, SETTLING_STEPS } from './model.js';
import { type Network, nameOf, samples } from './network.js';

/** A dispatch with the program and bind group that a pass runs. */
interface Recorded {
  pipeline?: GPUComputePipeline;
  bindGroup?: GPUBindGroup;
  offsets: readonly number[];
  workgroups: readonly [number, number, number];
}

/** Records the dispatches that `work` submits, instead of running them. */
function record(gpu: Gpu, work: () => void): Recorded[] {
  const recorded: Recorded[] = [];
  let next: Pick<Recorded, 'pipeline' | 'bindGroup' | 'offsets'> = { offsets: [] };
  const pass = {
    setPipeline(pipeline: GPUComputePipeline) {
      next = { ...next, pipeline };
    },
    setBindGroup(_index: number, bindGroup: GPUBindGroup, offsets: readonly number[] = []) {
      next = { ...next, bindGroup, offsets };
    },
    dispatchWorkgroups(x: number, y = 1, z = 1) {
      recorded.push({ ...next, workgroups: [x, y, z] });
    },
  };
  const { submit } = gpu;
  gpu.submit = (_label, encode) => encode(pass as unknown as GPUComputePassEncoder);
  try {
    work();
  } finally {
    gpu.submit = submit;
  }
  return recorded;
}

/** Time of each dispatch of a training step, which is replayed separately many times. */
function breakdown(network: Network, large: boolean): Case {
  return {
    name: `dispatches of a step ${nameOf(network)}`,
    group: 'training',
    ...(large ? { large } : {}),
    async prepare({ gpu }) {
      const compilations = watchCompilations(gpu);
      const model = await createModel(gpu, network);
      const trainer = await createTrainer(model, network);
      const { inputs, classes } = samples(network, network.batch);
      // Real steps first, so that everything is compiled and every tensor has the contents that it has in training.
      for (let i = 0; i < SETTLING_STEPS; i++) await trainer.step(inputs, classes);
      await gpu.idle();
      await compilations.settled();
      const recorded = record(gpu, () => void trainer.step(inputs, classes));
      return trainer.plan.dispatches.map(({ label, variant, flops }, number): Contender => {
        const { pipeline, bindGroup, offsets = [], workgroups = [1, 1, 1] } = recorded[number] ?? {};
        return {
          name: `${number + 1}. ${label} (${variant})`,
          dispatches: 1,
          flops,
          async run(count) {
            if (pipeline === undefined || bindGroup === undefined) throw new Error(`${label} was not recorded.`);
            gpu.submit(label, (pass) => {
              pass.setPipeline(pipeline);
              pass.setBindGroup(0, bindGroup, offsets);
              for (let i = 0; i < count; i++) pass.dispatchWorkgroups(...workgroups);
            });
            await gpu.idle();
            gpu.check();
          },
          dispose: () => model.dispose(),
        };
      });
    },
    conclude: total,
  };
}

/** The sum of all dispatches in each round, if all of them were measured. */
function total(results: readonly Result[]): Result[] {
  const [first] = results;
  if (first === undefined || results.some(({ error }) => error !== undefined)) return [];
  const rounds = Math.min(...results.map(({ samples }) => samples.length));
  const sums = first.samples
    .slice(0, rounds)
    .map((_, round) => results.reduce((sum, { samples }) => sum + (samples[round] ?? 0), 0));
  const whole: Contender = { name: 'all of them', dispatches: results.length, run: async () => {}, dispose: () => {} };
  return [resultOf({ name: first.case, group: first.group, prepare: async () => [] }, whole, { samples: sums })];
}

export const breakdowns: readonly Case[] = [
  breakdown({ layers: [784, 400, 200, 10], batch: 128 }, false),
  breakdown({ layers: [784, 400, 200, 10], batch: 1024 }, true),
];
