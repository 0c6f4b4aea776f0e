import type { StepValues } from './dispatch.js';
import type { DeviceBuffer, DeviceMemory } from './memory.js';
import { BINDING_ALIGNMENT } from './tensor.js';

/** Bytes of a record: a few words, padded to the alignment of dynamic offsets. */
const RECORD_BYTES = BINDING_ALIGNMENT;

/** Record of a step: the words that shaders read as `step`, followed by `own`, numbers of the optimizer. */
export type StepRecord = StepValues & { readonly own?: readonly number[] | undefined };

/** Records of the steps of a submit, one for each replay. A single write uploads them before the submit. */
export class StepRecords {
  /** Uniform buffer of all records. */
  readonly buffer: DeviceBuffer;
  readonly #memory: DeviceMemory;
  readonly #bytes: ArrayBuffer;

  /** @param capacity largest number of records in a submit */
  constructor(memory: DeviceMemory, capacity: number) {
    this.#memory = memory;
    this.#bytes = new ArrayBuffer(capacity * RECORD_BYTES);
    this.buffer = memory.allocate(this.#bytes.byteLength, 'steps', 'uniform');
  }

  /** Queues one write of all records of the next submit. @returns the byte offset of each record */
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

  /** Frees the buffer. */
  dispose(): void {
    this.#memory.free(this.buffer);
  }
}
