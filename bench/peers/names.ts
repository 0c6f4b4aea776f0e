export const JAX_DEVICES = ['webgpu', 'wasm'] as const;
export const TENSORFLOW_BACKENDS = ['webgpu', 'webgl', 'wasm', 'cpu'] as const;

export const jaxName = (device: string): string => `jax-js ${device}`;
export const tensorFlowName = (backend: string): string => `tfjs ${backend}`;

/** Names of all peers, the closest rival first. */
export const PEER_NAMES: readonly string[] = [...JAX_DEVICES.map(jaxName), ...TENSORFLOW_BACKENDS.map(tensorFlowName)];

/** Names of the peers that compute on the CPU, on every adapter. */
export const ON_PROCESSOR: readonly string[] = [jaxName('wasm'), tensorFlowName('wasm'), tensorFlowName('cpu')];
