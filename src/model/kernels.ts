import type { Activation } from '../kernels/activations.js';
import { describeMatmul } from '../kernels/matmul/matmul.js';
import { onSoftware } from '../kernels/software/adapter.js';
import { endAtMatmul, endsApart, type Maxout } from '../nn/layers/dense.js';
import type { LayerKernels } from '../nn/layers/layer.js';
import type { Device } from '../plan/device.js';
import { everyLayer, type ModelLayer } from './placement.js';

/** The library's layers that never call `kernels.endDense`; a layer of an app may. */
const WITHOUT_DENSE: readonly string[] = ['dropout', 'batchNorm', 'layerNorm', 'residual'];

/**
 * Loads the kernels that a model's layers need: the programs for software adapters only on such an adapter or for tuning, and
 * the dispatches after a dense layer's matmul only if a layer has them.
 */
export async function loadKernels(
  { info, tunes }: Pick<Device, 'info' | 'tunes'>,
  layers: readonly ModelLayer[],
): Promise<LayerKernels> {
  const [software, endings] = await Promise.all([
    onSoftware(info) || tunes ? import('../kernels/software/quad.js') : undefined,
    everyLayer(layers).some(mayEndApart) ? import('../nn/layers/dense-endings.js') : undefined,
  ]);
  const programs = software?.softwarePrograms ?? (() => []);
  return {
    matmul: (A, B, C, options) => describeMatmul(programs, A, B, C, options),
    endDense: endings?.endDense ?? endAtMatmul,
  };
}

/** True if a layer may need the dispatches of learned activations and maxout. */
function mayEndApart({ layer: { spec } }: ModelLayer): boolean {
  if (spec.type !== 'dense' && spec.type !== 'activation') return !WITHOUT_DENSE.includes(spec.type);
  return endsApart(spec.activation as Activation | Maxout | undefined);
}
