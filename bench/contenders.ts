import type { Case, Contender, Context } from './case.js';
import { ON_PROCESSOR } from './peers/names.js';

/** A contender that could not be made: it fails when it is run, which is how it gets into the report. */
function failed(name: string, cause: unknown): Contender {
  return { name, run: () => Promise.reject(cause), dispose: () => {} };
}

/** Makes contenders one after the other; one that cannot be made does not keep the others from it. */
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

/** Ours, then the peers', if the case is one that peers have. */
export async function prepare(each: Case, context: Context): Promise<Contender[]> {
  const own = await each.prepare(context).catch((cause: unknown) => [failed('webgpu-mlp', cause)]);
  return context.peers ? [...own, ...(await rivals(each))] : [...own];
}

/** The other libraries' contenders of a case. */
export async function rivals({ workload, large }: Case): Promise<Contender[]> {
  if (workload === undefined) return [];
  const { peers } = await import('./peers/index.js');
  // On a processor, what fills a GPU takes minutes.
  const able = peers.filter(({ name }) => large !== true || !ON_PROCESSOR.includes(name));
  return await contenders(able.map(({ name, prepare: make }) => ({ name, make: () => make(workload) })));
}
