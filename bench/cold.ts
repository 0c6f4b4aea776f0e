import { rivals } from './contenders.js';
import { firstSteps } from './training/first-step.js';

/**
 * Milliseconds of a contender's first step, in a page or process where nothing has run before. The time includes loading the
 * contender's library.
 */
export async function timeFirstStep(caseName: string, contenderName: string, peers: boolean): Promise<number> {
  const each = firstSteps.find(({ name }) => name === caseName);
  const field = each === undefined ? [] : [each.own(), ...(peers ? await rivals(each) : [])];
  const contender = field.find(({ name }) => name === contenderName);
  if (contender === undefined) throw new Error(`There is no contender "${contenderName}" in "${caseName}".`);
  const start = performance.now();
  await contender.run(1);
  const time = performance.now() - start;
  for (const one of field) one.dispose();
  return time;
}
