export const JAX_DEVICES = ['webgpu', 'wasm'] as const;
export const TENSORFLOW_BACKENDS = ['webgpu', 'webgl', 'wasm', 'cpu'] as const;

export const jaxName = (device: string): string => `jax-js ${device}`;
export const tensorFlowName = (backend: string): string => `tfjs ${backend}`;

/** A peer library and its backends. */
export interface PeerLibrary {
  readonly title: string;
  readonly backends: readonly string[];
  /** Name of the peer that computes on a backend. */
  readonly peerName: (backend: string) => string;
}

/** The peers by library, the closest rival first. */
export const PEER_LIBRARIES: readonly PeerLibrary[] = [
  { title: 'jax-js', backends: JAX_DEVICES, peerName: jaxName },
  { title: 'TensorFlow.js', backends: TENSORFLOW_BACKENDS, peerName: tensorFlowName },
];

/** Names of all peers, the closest rival first. */
export const PEER_NAMES: readonly string[] = PEER_LIBRARIES.flatMap(({ backends, peerName }) => backends.map(peerName));

/** Names of the peers that compute on the CPU, on every adapter. */
export const ON_PROCESSOR: readonly string[] = [jaxName('wasm'), tensorFlowName('wasm'), tensorFlowName('cpu')];
