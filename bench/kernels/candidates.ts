import type { Gpu, Tensor } from '../../src/index.js';
import { type AdapterTraits, candidates, choose, type Dispatch, type Program } from '../../src/plan/dispatch.js';
import type { Contender } from '../case.js';
import { contenders } from '../contenders.js';
import { replay } from '../replay.js';

interface Candidate {
  readonly name: string;
  /** The dispatch with only this program. */
  readonly call: Dispatch;
  /** True for the program that a plan runs after many replays. */
  readonly chosen: boolean;
}

/** The programs that the adapter can run, each without `later`, which would replace it during the measurement. */
export function candidatesOf(dispatch: Dispatch, adapter: AdapterTraits): Candidate[] {
  const possible = candidates(dispatch, adapter);
  const first = choose(dispatch, adapter);
  const taken = first.later ?? first;
  return possible.map((program) => {
    const { later: _, ...alone } = program;
    return { name: nameOf(program, possible), call: { ...dispatch, programs: [alone] }, chosen: program === taken };
  });
}

/** The dispatch with only the program that a plan runs after many replays, so that none replaces it while it is measured. */
export function chosenAlone(dispatch: Dispatch, adapter: AdapterTraits): Dispatch {
  return candidatesOf(dispatch, adapter).find(({ chosen }) => chosen)?.call ?? dispatch;
}

/** The variant, and the overrides that distinguish it from other programs of the same variant. */
function nameOf({ variant, overrides }: Program, programs: readonly Program[]): string {
  const namesakes = programs.filter((other) => other.variant === variant);
  const differing = Object.entries(overrides).filter(([override, value]) =>
    namesakes.some((other) => other.overrides[override] !== value),
  );
  return [variant, ...differing.map(([override, value]) => `${override}=${value}`)].join(' ');
}

/** A contender for each program that can run the dispatch. */
export function replays(
  gpu: Gpu,
  dispatch: Dispatch,
  tensors: readonly Pick<Tensor, 'dispose'>[],
  more: (product: Awaited<ReturnType<typeof replay>>) => Partial<Contender> = () => ({}),
): Promise<Contender[]> {
  const field = candidatesOf(dispatch, gpu.info);
  return contenders(
    field.map(({ name, call, chosen }) => ({
      name,
      async make() {
        // A single program is not marked as chosen.
        const product = await replay(gpu, name, [call], tensors, chosen && field.length > 1 ? { chosen } : {});
        return { ...product, ...more(product) };
      },
    })),
  );
}

/** A contender for each program of a fused dispatch, and one for the dispatches that it replaces. */
export function againstPlain(
  gpu: Gpu,
  fused: Dispatch,
  plain: { readonly name: string; readonly calls: readonly Dispatch[] },
  tensors: readonly Pick<Tensor, 'dispose'>[],
): Promise<Contender[]> {
  const calls = plain.calls.map((call) => chosenAlone(call, gpu.info));
  return contenders([
    ...candidatesOf(fused, gpu.info).map(({ name, call, chosen }) => ({
      name,
      make: () => replay(gpu, name, [call], tensors, { chosen }),
    })),
    { name: plain.name, make: () => replay(gpu, plain.name, calls, tensors) },
  ]);
}
