import { bytesOf, mistakenFor } from '../base/bytes.js';
import { assertOption } from '../base/check.js';
import { FormatError, MlpError } from '../base/errors.js';
import { type FileTensor, readSafetensors, writeSafetensors } from '../base/safetensors.js';
import { checkDescription, type DataDescription, descriptionOf } from '../model/description.js';
import type { Model } from '../model/model.js';
import type { Progress, Session } from './session.js';

export { bytesOf };

/** The state of a training, complete enough to continue it bit for bit. */
export interface Checkpoint {
  /** Options that the training depends on, by name: plain data. */
  readonly training: Readonly<Record<string, unknown>>;
  readonly progress: Progress;
  /** Description of the data that the model has learned. */
  readonly learned?: DataDescription | undefined;
  /** Bytes of the tensors that persist from step to step, by name: parameters, buffers and optimizer state. */
  readonly state: ReadonlyMap<string, Uint8Array>;
}

const MAGIC = new TextEncoder().encode('mlp-ckpt');
const VERSION = 1;
/** Layout of the bytes: 8 of `MAGIC`, 8 of the total length, a safetensors file, and 4 of the CRC-32 of all before. */
const HEAD_BYTES = 16;
const CRC_BYTES = 4;
/** Maximum number of characters of an option in an error message. */
const SHOWN_LENGTH = 300;

/** Writes a checkpoint as one block of bytes. Its length and its CRC-32 reveal truncation and changes. */
export function writeCheckpoint({ training, progress, learned, state }: Checkpoint): Uint8Array<ArrayBuffer> {
  const tensors = [...state].map(([name, data]): [string, FileTensor] => [
    name,
    { dtype: 'F32', shape: [data.length / 4], data },
  ]);
  const metadata = new Map([['checkpoint', JSON.stringify({ version: VERSION, training, progress, learned })]]);
  const file = writeSafetensors({ tensors: new Map(tensors), metadata });
  const blob = new Uint8Array(HEAD_BYTES + file.length + CRC_BYTES);
  const view = new DataView(blob.buffer);
  blob.set(MAGIC);
  view.setBigUint64(MAGIC.length, BigInt(blob.length), true);
  blob.set(file, HEAD_BYTES);
  const end = blob.length - CRC_BYTES;
  view.setUint32(end, crc32(blob.subarray(0, end)), true);
  return blob;
}

/**
 * Reads a checkpoint for an existing training.
 * @param training options that the checkpoint must have
 * @param sizes names of the tensors that the checkpoint must have, and their bytes
 * @throws {FormatError} if the checkpoint is truncated or changed, or its tensors differ
 * @throws {MlpError} `other-training`, with the option that differs
 */
export function readCheckpoint(
  bytes: Uint8Array,
  training: Checkpoint['training'],
  sizes: ReadonlyMap<string, number>,
): Pick<Checkpoint, 'progress' | 'learned' | 'state'> {
  const { tensors, metadata } = readSafetensors(contents(bytes), 'restore');
  const saved = parse(metadata.get('checkpoint') ?? '');
  const other = Object.keys(training).find((name) => json(training[name]) !== json(saved.training?.[name]));
  if (other !== undefined) {
    throw new MlpError(
      'other-training',
      `restore: the checkpoint has ${other} = ${shown(saved.training?.[other])}, but this trainer has ${shown(training[other])}. Use the same options.`,
    );
  }
  const progress = saved.progress as Progress;
  try {
    const { steps, epochs, learningRate, scheduleStart = 0 } = progress;
    assertOption('progress has', { steps, epochs, scheduleStart }, 'an integer >= 0');
    assertOption('progress has', { learningRate }, 'a finite number >= 0');
  } catch (cause) {
    throw new FormatError(`restore: the checkpoint has no valid progress: ${String(cause)}`, { cause });
  }
  const state = divideStates(new Map([...tensors].map(([name, { data }]) => [name, data])), sizes);
  for (const name of new Set([...sizes.keys(), ...state.keys()])) {
    if (state.get(name)?.length === sizes.get(name)) continue;
    throw new FormatError(
      `restore: "${name}" has ${state.get(name)?.length ?? 'no'} bytes in the checkpoint, but ${sizes.get(name) ?? 'none'} here. Another version of the library wrote it.`,
    );
  }
  return { progress, learned: saved.learned, state };
}

/**
 * Divides each state of a large model as its optimizer does now (`partsOf`): earlier versions had one state for all
 * parameters.
 * @param sizes names and bytes of the states now, those of one label in the order of the parameters
 */
function divideStates(
  state: ReadonlyMap<string, Uint8Array>,
  sizes: ReadonlyMap<string, number>,
): ReadonlyMap<string, Uint8Array> {
  const divided = new Map(state);
  const rowBytes = sizes.get('parameters') ?? 0;
  for (const [name, bytes] of state) {
    const label = name.match(/^(.*) 0 \d+$/)?.[1];
    if (label === undefined || sizes.has(name)) continue;
    const parts = [...sizes].filter(([other]) => other.replace(/ \d+ \d+$/, '') === label && other !== label);
    const rows = bytes.length / rowBytes;
    if (parts.reduce((sum, [, size]) => sum + size, 0) !== bytes.length || !Number.isInteger(rows)) continue;
    divided.delete(name);
    let start = 0;
    for (const [part, size] of parts) {
      const values = new Uint8Array(size);
      const own = size / rows;
      for (let row = 0; row < rows; row++) {
        const from = row * rowBytes + start;
        values.set(bytes.subarray(from, from + own), row * own);
      }
      divided.set(part, values);
      start += own;
    }
  }
  return divided;
}

/** Makes a checkpoint of a session. @param state bytes of the session's state at the time of `progress`, by name */
export function checkpoint(session: Session, progress: Progress, state: Checkpoint['state']): Uint8Array<ArrayBuffer> {
  return writeCheckpoint({ training: specsOf(session), progress, learned: descriptionOf(session.model.spec), state });
}

/** Writes the state of a checkpoint to the device, and returns its progress. @throws as `readCheckpoint` */
export function restore(bytes: Uint8Array, session: Session): Progress {
  const kept = session.state;
  const sizes = new Map([...kept].map(([name, { byteLength }]) => [name, byteLength]));
  const { progress, learned, state } = readCheckpoint(bytes, specsOf(session), sizes);
  session.model.learns(learnedOf(session.model, learned ?? {}));
  for (const [name, values] of state) {
    const storage = kept.get(name);
    if (storage !== undefined) session.model.device.write(storage.buffer, 0, values);
  }
  return progress;
}

/**
 * Description of the data that a model has after a restore.
 * @throws {MlpError} `other-training` if the checkpoint standardizes targets in another way than the model
 * @throws {FormatError} if what the checkpoint says does not fit the model
 */
function learnedOf({ spec, outputs }: Model, { targets, ...others }: DataDescription): DataDescription {
  const isNew = targets === 'standardize' || spec.targets === 'standardize';
  if (!(isNew ? targets && spec.targets : json(targets) === json(spec.targets))) {
    throw new MlpError(
      'other-training',
      `restore: the checkpoint has targets = ${shown(targets)}, but this model has ${shown(spec.targets)}. Use a new model with the same options.`,
    );
  }
  const kept = targets === 'standardize' ? spec.targets : targets;
  const description = descriptionOf({ ...others, targets: kept });
  try {
    return checkDescription('restore', description, { inputs: spec.inputs, outputs, isProbability: false });
  } catch (cause) {
    throw new FormatError(`restore: the checkpoint does not describe its data: ${String(cause)}`, { cause });
  }
}

/** The options that decide the bits of training, together with the training data: plain data. */
function specsOf({
  model,
  loss,
  optimizer,
  batch,
  clip,
  penalties,
  average,
  accumulation,
}: Session): Checkpoint['training'] {
  const all = penalties && { l1: penalties.l1 ?? 0, l2: penalties.l2 ?? 0 };
  const means = { accumulate: accumulation?.every, ema: average?.decay };
  const { classNames, encoder, targets, ...spec } = model.spec;
  return {
    ...spec,
    loss: loss.spec,
    optimizer: optimizer.spec,
    batchSize: batch,
    clip,
    penalties: all,
    ...means,
  };
}

/** Checks the magic, the length and the CRC-32, and returns the safetensors file inside. @throws {FormatError} */
function contents(blob: Uint8Array): Uint8Array {
  if (MAGIC.some((byte, i) => byte !== (blob[i] ?? byte))) {
    const why = mistakenFor(blob) ?? 'Models are read by Mlp.load().';
    throw new FormatError(`restore: the bytes do not begin as those of checkpoint() do. ${why}`);
  }
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const length = blob.length < HEAD_BYTES ? 'more' : view.getBigUint64(MAGIC.length, true);
  if (length !== BigInt(blob.length)) {
    const why = Number(length) < blob.length ? 'bytes follow it' : 'it is truncated';
    throw new FormatError(`restore: the checkpoint has ${blob.length} bytes, but should have ${length}: ${why}.`);
  }
  const end = blob.length - CRC_BYTES;
  if (end < HEAD_BYTES || view.getUint32(end, true) !== crc32(blob.subarray(0, end))) {
    throw new FormatError('restore: the checkpoint has changed since it was made: its CRC-32 differs.');
  }
  return blob.subarray(HEAD_BYTES, end);
}

/** The metadata of a checkpoint, unchecked. */
interface Saved {
  readonly version?: unknown;
  readonly training?: Readonly<Record<string, unknown>>;
  readonly progress?: unknown;
  readonly learned?: DataDescription;
}

/** Parses the metadata. @throws {FormatError} */
function parse(text: string): Saved {
  let saved: Saved;
  try {
    saved = Object(JSON.parse(text));
  } catch (cause) {
    throw new FormatError('restore: the checkpoint has no valid metadata.', { cause });
  }
  if (saved.version === VERSION) return saved;
  throw new FormatError(
    `restore: the checkpoint is of version ${String(saved.version)}; this library reads version ${VERSION}.`,
  );
}

const json = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
/** The JSON of an option for an error message. A long list, such as the means of a thousand inputs, is cut. */
const shown = (value: unknown): string =>
  json(value).length > SHOWN_LENGTH ? `${json(value).slice(0, SHOWN_LENGTH)}…` : json(value);

/** The CRC-32 of zip, gzip and PNG: reflected polynomial 0xedb88320, all bits inverted before and after (ISO 3309). */
export function crc32(bytes: Uint8Array): number {
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb88320;
    return crc;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
