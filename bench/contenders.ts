import type { Case, Contender, Context } from './case.js';
import { ON_PROCESSOR } from './peers/names.js';

/** Stand-in for a contender that could not be created: its run fails, so that the failure is in the report. */
function failed(name: string, cause: unknown): Contender {
  return { name, run: () => Promise.reject(cause), dispose: () => {} };
}

/** Creates contenders one after the other. One that cannot be created does not stop the others. */
export async function contenders(
  makers: readonly { readonly name: string; make(): Promise<Contender | undefined> }[],
): Promise<Contender[]> {
  const made: Contender[] = [];
  for (const { name, make } of makers) {
    const contender = await make().catch((cause: unknown) => failed(name, cause));
    if (contender !== undefined) made.push(contender);
  }
  return made;
}

/** This library's contenders of a case, followed by the peers', if they take part. */
export async function prepare(each: Case, context: Context): Promise<Contender[]> {
  const own = await each.prepare(context).catch((cause: unknown) => [failed('webgpu-mlp', cause)]);
  return context.peers ? [...own, ...(await rivals(each))] : [...own];
}

/** The other libraries' contenders of a case. */
export async function rivals({ workload, large }: Case): Promise<Contender[]> {
  if (workload === undefined) return [];
  const { peers } = await import('./peers/index.js');
  // Peers that compute on the CPU are left out of large cases, which would take them minutes.
  const able = peers.filter(({ name }) => large !== true || !ON_PROCESSOR.includes(name));
  return await contenders(able.map(({ name, prepare: make }) => ({ name, make: () => make(workload) })));
}
