import { fmaPeak, parallelWidth } from './adapter/arithmetic.js';
import { launchCosts } from './adapter/launch.js';
import { copyBandwidth } from './adapter/memory.js';
import type { Case } from './case.js';
import { heads } from './kernels/dense-head.js';
import { elementWise } from './kernels/element-wise.js';
import { products } from './kernels/matmul.js';
import { tinyTraining } from './kernels/train-tiny.js';
import { weightUpdates } from './kernels/weight-update.js';
import { breakdowns } from './training/breakdown.js';
import { firstSteps } from './training/first-step.js';
import { prediction } from './training/predict.js';
import { training } from './training/steps.js';

/** Every case, in the order in which they are measured: the yardsticks first. */
export const suite: readonly Case[] = [
  fmaPeak,
  copyBandwidth,
  launchCosts,
  parallelWidth,
  ...products,
  ...elementWise,
  ...tinyTraining,
  ...heads,
  ...weightUpdates,
  ...training,
  ...breakdowns,
  ...prediction,
  ...firstSteps,
];

/** What the caller asked for cannot be measured; whole sentences. */
export class SelectionError extends Error {
  readonly usage = true;
}

/** Names as they are typed: × is x, → is ->, and case does not matter. */
const typed = (name: string): string =>
  name.toLowerCase().replaceAll('×', 'x').replaceAll('→', '->').replaceAll('′', "'");

/**
 * The cases to measure.
 * @param only a part of their names, or several with commas between; '' for all
 * @param large whether those for hardware adapters are wanted
 * @throws {SelectionError} if there is none
 */
export function select(cases: readonly Case[], only: string, large: boolean): readonly Case[] {
  const parts = only.split(',').map(typed);
  const named = cases.filter(({ name }) => parts.some((part) => typed(name).includes(part)));
  if (named.length === 0) {
    const names = cases.map(({ name }) => `  ${name}`).join('\n');
    throw new SelectionError(`--only "${only}" is in no case's name. The cases are:\n${names}`);
  }
  const wanted = named.filter((each) => large || each.large !== true);
  if (wanted.length === 0) {
    const names = named.map(({ name }) => name).join(', ');
    throw new SelectionError(
      `--only "${only}" names ${names}: on a software adapter that is measured with --full only, since it takes minutes.`,
    );
  }
  return wanted;
}
