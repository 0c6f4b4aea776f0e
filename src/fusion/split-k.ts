import { inParts } from '../kernels/matmul/parts.js';
import { isProduct } from '../kernels/matmul/product.js';
import { partsFor } from '../kernels/matmul/variants.js';
import type { Rewritten } from '../plan/builder.js';
import type { AdapterTraits } from '../plan/dispatch.js';
import { Tensor, TensorStorage } from '../plan/tensor.js';

/** Products that would leave most of a GPU idle become two dispatches, with the sums of their parts between them. */
export function splitProducts({ recorded, notes }: Rewritten, adapter: AdapterTraits): Rewritten {
  const transient: TensorStorage[] = [];
  const split = recorded.flatMap((each) => {
    const { phase, dispatch } = each;
    if (!isProduct(dispatch) || dispatch.product.variant !== undefined) return each;
    const { M, N } = dispatch.form;
    const parts = partsFor(dispatch.form, adapter);
    if (parts === 1) return each;
    const sums = new TensorStorage('partials', 4 * parts * M * N);
    transient.push(sums);
    return inParts(dispatch, new Tensor(sums, 0, [parts, M, N], 'f32')).map((half) => ({ phase, dispatch: half }));
  });
  if (transient.length === 0) return { recorded, notes };
  return { recorded: split, notes: [...notes, `split: K of ${transient.length} products`], transient };
}
