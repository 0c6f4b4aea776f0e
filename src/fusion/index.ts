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
 * Loads the passes that may apply to the plans of a model, and returns the rewrite that runs them. The first passes
 * fuse dispatches of a step; the last one, for GPUs only, splits each matmul that would leave most of the GPU idle into
 * two.
 * @param parameterCount number of the model's parameters
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
      : skipped(
          isStep,
          `${parameterCount} parameters by ${rows} rows are more multiply-adds than ${MOST_MULTIPLY_ADDS}`,
        ),
    trains && onSoftware(adapter) ? import('./update.js') : skipped(isUpdate, 'it is for software adapters'),
    onHardware(adapter) ? import('./split-k.js') : skipped(() => false, ''),
  ]);
  return rewriteBy([
    { name: 'a small network in one dispatch', fuse: tiny.fuse },
    { name: 'last layer, loss and first dX', fuse: fuseHead },
    { name: 'gather into its readers', fuse: fuseGather },
    { name: 'dW and its update', fuse: update.fuse },
    { name: 'long K in parts', fuse: splitK.fuse },
  ]);
}

/** Stands for a pass that is not loaded: changes nothing, and gives `reason` for the steps that the pass is for. */
function skipped(isFor: (recorded: Recorded) => boolean, reason: string): Pick<Pass, 'fuse'> {
  return { fuse: (recorded) => (recorded.some(isFor) ? reason : undefined) };
}

const isStep = ({ dispatch }: Recorded): boolean => isGather(dispatch);
const isUpdate = ({ phase }: Recorded): boolean => phase === 'update';

/** Runs the passes in order, and notes for each that it has fused something, or the reason why it has not. */
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
