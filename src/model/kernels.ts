import type { Activation } from '../kernels/activations.js';
import { describeMatmul } from '../kernels/matmul/matmul.js';
import { onSoftware } from '../kernels/software/adapter.js';
import { endAtMatmul, endsApart, type Maxout } from '../nn/layers/dense.js';
import type { LayerKernels } from '../nn/layers/layer.js';
import type { Device } from '../plan/device.js';
import { everyLayer, type ModelLayer } from './placement.js';

/** The library's layers that record no end of a dense layer; a layer of an app may contain one. */
const WITHOUT_DENSE: readonly string[] = ['dropout', 'batchNorm', 'layerNorm', 'residual'];

/** Loads the kernels with which the layers of a model are recorded: on a software adapter, and for a tuner, all programs. */
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

function mayEndApart({ layer: { spec } }: ModelLayer): boolean {
  if (spec.type !== 'dense') return !WITHOUT_DENSE.includes(spec.type);
  return endsApart(spec.activation as Activation | Maxout | undefined);
}
