import type { Device } from './device.js';

/** Callbacks for the loss of each device. */
const listeners = new WeakMap<Device, Set<() => void>>();

/**
 * Calls `callback` when a device is lost; returns a function that cancels this. A reaction to the promise `device.lost`
 * could not be removed: it would keep all objects that it refers to in memory until the device is garbage.
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
