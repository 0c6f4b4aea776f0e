import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isStatistic } from './specs.js';
import { type Problem, trainReference } from './training.js';

/** Results of PyTorch in float64, written by golden.py. */
interface Golden extends Problem {
  readonly title: string;
  readonly steps: readonly {
    readonly loss: number;
    readonly outputs: readonly number[];
    /** Of all parameters but statistics. */
    readonly gradients: readonly (readonly number[])[];
    readonly parameters: readonly (readonly number[])[];
  }[];
}

const golden: Golden[] = JSON.parse(readFileSync(new URL('./golden.json', import.meta.url), 'utf8'));

/** The file has 13 digits; the rest is for what float64 loses in another order of operations. */
function close(actual: Float64Array, expected: readonly number[] | undefined, what: string): void {
  expect(actual.length, what).toBe(expected?.length);
  for (const [i, value] of actual.entries()) {
    const wanted = expected?.[i] ?? Number.NaN;
    expect(Math.abs(value - wanted), `${what}[${i}] = ${value}, expected ${wanted}`).toBeLessThanOrEqual(
      1e-12 + 1e-11 * Math.abs(wanted),
    );
  }
}

test.for(golden.map((entry) => [entry.title, entry] as const))('as PyTorch: %s', ([, entry]) => {
  const steps = trainReference(entry);
  expect(steps.length).toBe(entry.steps.length);
  for (const [index, { loss, penalty, outputs, gradients, parameters }] of steps.entries()) {
    const wanted = entry.steps[index];
    close(Float64Array.of(loss + penalty), [wanted?.loss ?? Number.NaN], `step ${index + 1}: loss`);
    close(outputs, wanted?.outputs, `step ${index + 1}: outputs`);
    const isFrozen = (name: string): boolean => entry.layers[Number(name.split('.')[0])]?.trainable === false;
    const learned = parameters.filter((parameter) => !isStatistic(parameter) && !isFrozen(parameter.name));
    expect(gradients.map(({ name }) => name)).toEqual(learned.map(({ name }) => name));
    for (const [i, { name, data }] of gradients.entries())
      close(data, wanted?.gradients[i], `step ${index + 1}: d${name}`);
    for (const [i, { name, data }] of parameters.entries())
      close(data, wanted?.parameters[i], `step ${index + 1}: ${name}`);
  }
});
