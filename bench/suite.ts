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

/** All cases in the order of measurement, the yardsticks first. */
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

/** No case matches the selection. The message is whole sentences. */
export class SelectionError extends Error {
  readonly usage = true;
}

/** A name as it is typed on a keyboard: with x for ×, -> for →, and in lower case. */
const typed = (name: string): string =>
  name.toLowerCase().replaceAll('×', 'x').replaceAll('→', '->').replaceAll('′', "'");

/**
 * Selects the cases to measure.
 * @param only part of their names, or several parts separated by commas; '' for all cases
 * @param large true to include large cases
 * @throws {SelectionError} if no case matches
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
