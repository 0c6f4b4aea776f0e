import type { StepValues } from './dispatch.js';
import type { DeviceBuffer, DeviceMemory } from './memory.js';
import { BINDING_ALIGNMENT } from './tensor.js';

/** Bytes of a per-step record: few words, at the distance that dynamic offsets must keep. */
const RECORD_BYTES = BINDING_ALIGNMENT;

/** The words that shaders read as `step`, and behind them numbers of the optimizer's own. */
export type StepRecord = StepValues & { readonly own?: readonly number[] | undefined };

/** The per-step records of a submit: written at once before it, one record a replay. */
export class StepRecords {
  readonly buffer: DeviceBuffer;
  readonly #memory: DeviceMemory;
  readonly #bytes: ArrayBuffer;

  /** @param capacity records that one submit can hold */
  constructor(memory: DeviceMemory, capacity: number) {
    this.#memory = memory;
    this.#bytes = new ArrayBuffer(capacity * RECORD_BYTES);
    this.buffer = memory.allocate(this.#bytes.byteLength, 'steps', 'uniform');
  }

  /** Queues the records of the next submit; one write. @returns the byte offset of each */
  write(records: readonly StepRecord[]): number[] {
    const view = new DataView(this.#bytes);
    const offsets = records.map(({ first, rows, index, learning_rate, own = [] }, slot) => {
      const offset = slot * RECORD_BYTES;
      view.setUint32(offset, first, true);
      view.setUint32(offset + 4, rows, true);
      view.setUint32(offset + 8, index, true);
      view.setFloat32(offset + 12, learning_rate, true);
      for (const [number, value] of own.entries()) view.setFloat32(offset + 16 + 4 * number, value, true);
      return offset;
    });
    this.#memory.write(this.buffer, 0, new Uint8Array(this.#bytes, 0, records.length * RECORD_BYTES));
    return offsets;
  }

  dispose(): void {
    this.#memory.free(this.buffer);
  }
}
