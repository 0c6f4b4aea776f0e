import type { Peer, Workload } from '../case.js';
import { JAX_DEVICES, jaxName, TENSORFLOW_BACKENDS, tensorFlowName } from './names.js';
import { type PeerContender, type Task, taskOf } from './task.js';

interface CheckedPeer extends Peer {
  prepare(workload: Workload): Promise<PeerContender>;
}

type Prepare = (name: string, task: Task) => Promise<PeerContender>;

/** A first step: the run imports the library, starts its backend and trains one step, until the loss is on the host. */
function fromCold(name: string, prepare: Prepare, task: Task): PeerContender {
  let contender: PeerContender | undefined;
  let loss = new Float32Array(0);
  return {
    name,
    async run(count) {
      if (count !== 1 || contender !== undefined) throw new Error(`${name}: a first step is run once in a page.`);
      contender = await prepare(name, task);
      await contender.run(1);
      loss = Float32Array.from(await contender.result());
    },
    result: async () => loss,
    dispose: () => contender?.dispose(),
  };
}

function peer(name: string, prepare: Prepare): CheckedPeer {
  return {
    name,
    async prepare(workload) {
      const task = taskOf(workload);
      return task.kind === 'first-step' ? fromCold(name, prepare, task) : await prepare(name, task);
    },
  };
}

/** The libraries with which this one is compared. Each is loaded when it prepares its first workload. */
export const peers: readonly CheckedPeer[] = [
  ...JAX_DEVICES.map((device) =>
    peer(jaxName(device), async (name, task) => (await import('./jax.js')).prepare(name, device, task)),
  ),
  ...TENSORFLOW_BACKENDS.map((backend) =>
    peer(tensorFlowName(backend), async (name, task) => (await import('./tfjs.js')).prepare(name, backend, task)),
  ),
];
