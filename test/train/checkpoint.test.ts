import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError, MlpError } from '../../src/base/errors.js';
import { writeSafetensors } from '../../src/base/safetensors.js';
import { type Checkpoint, crc32, readCheckpoint, writeCheckpoint } from '../../src/train/checkpoint.js';

const state = new Map([
  ['parameters', new Uint8Array(Float32Array.of(1, -0, Math.PI).buffer)],
  // Whatever bits are on the GPU, a NaN's payload too.
  ['velocity 0 8', Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 1, 2, 3, 0xff)],
]);
const sample: Checkpoint = {
  training: { inputs: 2, layers: [{ type: 'dense', units: 1 }], optimizer: { type: 'sgd', learningRate: 0.1 } },
  progress: { steps: 2 ** 32 + 1, epochs: 3, learningRate: 1 / 3 },
  state,
};
const sizes = new Map([...state].map(([name, { length }]) => [name, length]));
const read = (bytes: Uint8Array): unknown => readCheckpoint(bytes, sample.training, sizes);
const blob = writeCheckpoint(sample);

/** The blob around a file, with its true length and CRC-32: only what is within can be wrong. */
function around(file: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + file.length + 4);
  bytes.set(new TextEncoder().encode('mlp-ckpt'));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, BigInt(bytes.length), true);
  bytes.set(file, 16);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), true);
  return bytes;
}
const withMetadata = (text: string): Uint8Array =>
  around(writeSafetensors({ tensors: new Map(), metadata: new Map([['checkpoint', text]]) }));
const withProgress = (progress: unknown): Uint8Array => writeCheckpoint({ ...sample, progress } as Checkpoint);

test('crc32 is that of ISO 3309: its check value, and zlib’s of random bytes', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0))).toBe(0);
  // Node has zlib.crc32 from 20.15 and 22.2 on.
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => crc32(bytes) === zlibCrc32(bytes)),
    { seed: 5, numRuns: 200 },
  );
});

test('what is written is what is read', () => {
  const { progress, state: again } = readCheckpoint(blob, sample.training, sizes);
  expect(progress).toEqual(sample.progress);
  expect(again).toEqual(state);
  const within = new Uint8Array(blob.length + 3);
  within.set(blob, 3);
  expect(read(within.subarray(3))).toEqual({ progress, state: again });
});

test('what else progress has comes back as it is', () => {
  const progress = { ...sample.progress, schedule: { best: 0.5, bad: 2 } };
  expect(readCheckpoint(writeCheckpoint({ ...sample, progress }), sample.training, sizes).progress).toEqual(progress);
});

test('every length that it can be cut to is refused, and one that is too long', () => {
  for (let length = 0; length < blob.length; length++) {
    expect(() => read(blob.subarray(0, length)), `${length} bytes`).toThrow(FormatError);
  }
  expect(() => read(blob.subarray(0, -1))).toThrow(
    `restore: the checkpoint has ${blob.length - 1} bytes, but should have ${blob.length}: it is truncated.`,
  );
  expect(() => read(Uint8Array.from([...blob, 0]))).toThrow(FormatError);
});

test('every bit that is flipped is noticed', () => {
  for (let bit = 0; bit < 8 * blob.length; bit++) {
    const flipped = blob.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => read(flipped), `bit ${bit}`).toThrow(FormatError);
  }
});

test('any bytes changed, and pieces swapped', () => {
  const at = fc.nat({ max: blob.length - 1 });
  fc.assert(
    fc.property(fc.array(fc.tuple(at, at, fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }), (edits) => {
      const mutant = blob.slice();
      for (const [from, to, byte] of edits) {
        mutant[to] = mutant[from] ?? 0;
        mutant[from] = byte;
      }
      if (mutant.every((byte, i) => byte === blob[i])) return;
      expect(() => read(mutant)).toThrow(FormatError);
    }),
    { seed: 6, numRuns: 2000 },
  );
});

const wrong: readonly [what: string, bytes: Uint8Array, message: string][] = [
  ['a model file', writeSafetensors({ tensors: new Map(), metadata: new Map() }), 'Models are read by Mlp.load().'],
  ['nothing', new Uint8Array(0), 'has 0 bytes, but should have more: it is truncated.'],
  ['a byte too many', Uint8Array.of(...blob, 0), `bytes, but should have ${blob.length}: bytes follow it.`],
  ['one byte changed', blob.map((byte, i) => (i === 40 ? byte ^ 1 : byte)), 'its CRC-32 differs.'],
  ['a file within that is none', around(new Uint8Array(3)), 'restore: the file has 3 bytes'],
  ['no metadata', around(writeSafetensors({ tensors: new Map(), metadata: new Map() })), 'has no valid metadata.'],
  ['metadata that are no JSON', withMetadata('{'), 'has no valid metadata.'],
  ['another version', withMetadata('{"version":2}'), 'is of version 2; this library reads version 1.'],
  ['metadata that are null', withMetadata('null'), 'is of version undefined'],
  ['no progress', withProgress(undefined), 'has no valid progress: TypeError'],
  ['half a step', withProgress({ ...sample.progress, steps: 0.5 }), 'steps = 0.5; steps must be an integer ≥ 0.'],
  ['a negative epoch', withProgress({ ...sample.progress, epochs: -1 }), 'epochs = -1'],
  ['no rate', withProgress({ steps: 0, epochs: 0 }), 'learningRate = undefined'],
  [
    'state too few',
    writeCheckpoint({ ...sample, state: new Map([...state].slice(0, 1)) }),
    '"velocity 0 8" has no bytes in the checkpoint, but 8 here.',
  ],
  [
    'state too many',
    writeCheckpoint({ ...sample, state: new Map([...state, ['m', new Uint8Array(4)]]) }),
    '"m" has 4 bytes in the checkpoint, but none here.',
  ],
  [
    'state of another size',
    writeCheckpoint({ ...sample, state: new Map([...state, ['parameters', new Uint8Array(4)]]) }),
    '"parameters" has 4 bytes in the checkpoint, but 12 here.',
  ],
];
test.for(wrong)('a checkpoint with %s is refused', ([, bytes, message]) => {
  expect(() => read(bytes)).toThrow(FormatError);
  expect(() => read(bytes)).toThrow(message);
});

test('a checkpoint of another training is refused, with what is not the same', () => {
  const other = (training: Checkpoint['training']): (() => unknown) => {
    return () => readCheckpoint(blob, { ...sample.training, ...training }, sizes);
  };
  expect(other({ optimizer: { type: 'sgd', learningRate: 0.2 } })).toThrow(MlpError);
  expect(other({ optimizer: { type: 'sgd', learningRate: 0.2 } })).toThrow(
    'restore: the checkpoint has optimizer = {"type":"sgd","learningRate":0.1}, but this trainer has {"type":"sgd","learningRate":0.2}. Use the same options.',
  );
  expect(other({ batchSize: 8 })).toThrow('has batchSize = nothing, but this trainer has 8.');
  expect(other({ normalize: { mean: new Array(1000).fill(0) } })).toThrow('0,0,0…. Use');
});

test('a state for all parameters, as earlier versions wrote it, is divided into the states of now', () => {
  const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
  const earlier = new Map([
    ['parameters', floats(1, 2, 3, 4, 5)],
    // Two rows of five.
    ['moments 0 40', floats(10, 11, 12, 13, 14, 20, 21, 22, 23, 24)],
    ['slow 0 20', floats(0, 1, 2, 3, 4)],
  ]);
  const now = new Map([
    ['parameters', floats(1, 2, 3, 4, 5)],
    ['moments 0 24', floats(10, 11, 12, 20, 21, 22)],
    ['moments 1 16', floats(13, 14, 23, 24)],
    ['slow 0 20', floats(0, 1, 2, 3, 4)],
  ]);
  const sizesNow = new Map([...now].map(([name, { length }]) => [name, length]));
  const { state: found } = readCheckpoint(writeCheckpoint({ ...sample, state: earlier }), sample.training, sizesNow);
  expect(new Map([...found].sort())).toEqual(new Map([...now].sort()));
  const other = new Map(earlier).set('moments 0 40', floats(1, 2));
  expect(() => readCheckpoint(writeCheckpoint({ ...sample, state: other }), sample.training, sizesNow)).toThrow(
    '"moments 0 24" has no bytes in the checkpoint',
  );
});
