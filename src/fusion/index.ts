import { onHardware, onSoftware } from '../kernels/software/adapter.js';
import { MOST_MULTIPLY_ADDS, mayBeTiny, PREDICTED_AT_ONCE } from '../kernels/tiny-net.js';
import type { Rewrite } from '../plan/builder.js';
import type { AdapterTraits } from '../plan/dispatch.js';
import type { Recorded } from '../plan/plan.js';
import type { TensorStorage } from '../plan/tensor.js';
import { fuse as fuseGather } from './gather.js';
import { fuse as fuseHead } from './head.js';
import { isGather, type Pass } from './match.js';

/**
 * Loads the passes that may apply to the plans of a model. They make fewer dispatches of a step; and then, on a GPU, two of a
 * product that would leave most of it idle.
 * @param batch rows of a step, or of a prediction
 * @param trains false for plans that only predict
 */
export async function loadFusions(
  parameterCount: number,
  batch: number,
  adapter: Pick<AdapterTraits, 'software'>,
  trains: boolean,
): Promise<Rewrite> {
  const rows = trains ? batch : Math.min(batch, PREDICTED_AT_ONCE);
  const [tiny, update, splitK] = await Promise.all([
    mayBeTiny(parameterCount, rows)
      ? import('./tiny.js')
      : left(isStep, `${parameterCount} parameters by ${rows} rows are more multiply-adds than ${MOST_MULTIPLY_ADDS}`),
    trains && onSoftware(adapter)
      ? import('./update.js')
      : left(isUpdate, 'the adapter is not known to be faster with it'),
    onHardware(adapter) ? import('./split-k.js') : left(() => false, ''),
  ]);
  return rewriteBy([
    { name: 'a small network in one dispatch', fuse: tiny.fuse },
    { name: 'last layer, loss and first dX', fuse: fuseHead },
    { name: 'gather into its readers', fuse: fuseGather },
    { name: 'dW and its update', fuse: update.fuse },
    { name: 'long K in parts', fuse: splitK.fuse },
  ]);
}

/** A pass that is not loaded, as it cannot apply: it leaves every step, and says why in those that it would be for. */
function left(isFor: (recorded: Recorded) => boolean, reason: string): Pick<Pass, 'fuse'> {
  return { fuse: (recorded) => (recorded.some(isFor) ? reason : undefined) };
}

const isStep = ({ dispatch }: Recorded): boolean => isGather(dispatch);
const isUpdate = ({ phase }: Recorded): boolean => phase === 'update';

/** Runs passes one after the other, and notes what each has done, or why not. */
function rewriteBy(passes: readonly Pass[]): Rewrite {
  return (recorded, adapter) => {
    let step = recorded;
    const notes: string[] = [];
    const transient: TensorStorage[] = [];
    for (const { name, fuse } of passes) {
      const fused = fuse(step, adapter);
      if (fused === undefined) continue;
      if (typeof fused === 'string') {
        notes.push(`not fused: ${name} (${fused})`);
        continue;
      }
      step = fused.recorded;
      notes.push(fused.note ?? `fused: ${name}`);
      transient.push(...(fused.transient ?? []));
    }
    return { recorded: step, notes, transient };
  };
}
