import type { Device } from './device.js';

/** Callbacks for the loss of each device that still has any, or had. */
const listeners = new WeakMap<Device, Set<() => void>>();

/**
 * Has `callback` called when a device is lost; returns a function that ends that. A reaction to `device.lost` itself could not
 * be taken back: it would stay, with all that it refers to, for as long as the device lives.
 */
export function onDeviceLost(device: Device, callback: () => void): () => void {
  let callbacks = listeners.get(device);
  if (callbacks === undefined) {
    const all = new Set<() => void>();
    callbacks = all;
    listeners.set(device, all);
    void device.lost.then(() => {
      for (const each of all) each();
    });
  }
  callbacks.add(callback);
  return () => callbacks.delete(callback);
}
