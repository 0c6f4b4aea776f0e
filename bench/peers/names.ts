export const JAX_DEVICES = ['webgpu', 'wasm'] as const;
export const TENSORFLOW_BACKENDS = ['webgpu', 'webgl', 'wasm', 'cpu'] as const;

export const jaxName = (device: string): string => `jax-js ${device}`;
export const tensorFlowName = (backend: string): string => `tfjs ${backend}`;

/** A library of the peers, and what it can compute on. */
export interface PeerLibrary {
  readonly title: string;
  readonly backends: readonly string[];
  /** Name of the peer that computes on a backend. */
  readonly peerName: (backend: string) => string;
}

/** The peers by library, the nearest rival first. */
export const PEER_LIBRARIES: readonly PeerLibrary[] = [
  { title: 'jax-js', backends: JAX_DEVICES, peerName: jaxName },
  { title: 'TensorFlow.js', backends: TENSORFLOW_BACKENDS, peerName: tensorFlowName },
];

/** Every peer, the nearest rival first. */
export const PEER_NAMES: readonly string[] = PEER_LIBRARIES.flatMap(({ backends, peerName }) => backends.map(peerName));

/** Peers that compute on the processor, whatever the adapter. */
export const ON_PROCESSOR: readonly string[] = [jaxName('wasm'), tensorFlowName('wasm'), tensorFlowName('cpu')];
