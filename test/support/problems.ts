import { Random } from '../../src/base/random.js';
import { type Activation, dense, type Layer, type Maxout, type Mlp, type Weight } from '../../src/index.js';
import { exact } from '../reference/bounded.js';
import type { ReferenceLayer } from '../reference/mlp.js';

/** A network for both sides: as the library takes it, and as the reference does. */
export interface Network {
  readonly inputs: number;
  readonly units: readonly number[];
  readonly activations: readonly (Activation | Maxout)[];
}

export function layersOf({ units, activations }: Network): Layer[] {
  return units.map((width, number) => dense(width, activations[number] ?? 'linear'));
}

/** The weights of a model as the reference takes them. */
export function referenceLayers(weights: readonly Weight[], { activations }: Network): ReferenceLayer[] {
  return weights
    .filter(({ name }) => name.endsWith('.weight'))
    .map(({ shape: [inputs = 0, units = 0], data }, layer) => {
      const [, b, p] = weights.filter(({ name }) => name.startsWith(`${layer}.`));
      return {
        W: exact([inputs, units], data),
        b: exact([1, units], b?.data ?? []),
        p: p && exact([1, p.data.length], p.data),
        activation: referenceActivation(activations[layer] ?? 'linear'),
      };
    });
}

/** Maxout with its pieces. */
function referenceActivation(activation: Activation | Maxout): ReferenceLayer['activation'] {
  if (activation === 'maxout') return { type: 'maxout', pieces: 2 };
  if (typeof activation === 'object' && activation.type === 'maxout')
    return { ...activation, pieces: activation.pieces ?? 2 };
  return activation;
}

/** Samples around a centre for each class, so that there is something to learn. */
export function clusters(
  count: number,
  features: number,
  classes: number,
  seed = 1,
): { inputs: Float32Array<ArrayBuffer>; labels: Uint32Array<ArrayBuffer> } {
  const random = new Random(seed);
  const centres = Array.from({ length: classes * features }, () => random.uniform(-1, 1));
  const labels = Uint32Array.from({ length: count }, (_, i) => i % classes);
  const inputs = Float32Array.from({ length: count * features }, (_, i) => {
    const label = labels[Math.floor(i / features)] ?? 0;
    return (centres[label * features + (i % features)] ?? 0) + 0.5 * random.normal();
  });
  return { inputs, labels };
}

/** SHA-256 of every weight's bits. */
export async function hashOf(model: Mlp): Promise<string> {
  const weights = await model.weights();
  const bytes = new Uint8Array(weights.reduce((sum, { data }) => sum + data.byteLength, 0));
  let offset = 0;
  for (const { data } of weights) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
