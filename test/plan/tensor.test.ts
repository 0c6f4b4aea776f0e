import { beforeEach, expect, test } from 'vitest';
import { DisposedError, MlpError, ShapeError } from '../../src/base/errors.js';
import { Tensor } from '../../src/plan/tensor.js';
import { ArrayMemory } from '../support/array-memory.js';

let memory: ArrayMemory;
beforeEach(() => {
  memory = new ArrayMemory();
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const outside: [string, number, number[]][] = [
  ['before its beginning', -1, [2]],
  ['from a fraction on', 0.5, [2]],
  ['from NaN on', Number.NaN, [2]],
  ['from infinity on', Number.POSITIVE_INFINITY, [2]],
  ['past its end, though inside of the storage', 5, [2]],
  ['from its end on', 6, [1]],
  ['with more elements than it has', 0, [7]],
  ['of no element', 0, [0]],
  ['of a size that is no number', 0, [Number.NaN]],
  ['of a size below 0', 0, [-2, -2]],
  ['of a fraction of a row', 0, [1.5, 2]],
  ['of infinitely many', 0, [Number.POSITIVE_INFINITY]],
];
test.for(outside)('a view %s is a ShapeError', ([, start, shape]) => {
  const whole = Tensor.from(memory, numbers(12), [12], 'whole');
  const part = whole.view(3, [6], 'part');
  expect(() => part.view(start, shape)).toThrow(ShapeError);
  expect(() => part.view(start, shape)).toThrow(
    /^(view: shape \(.*\) from element .* on does not fit in "part" \(6\)|"part" has shape)/,
  );
});

test('a view of a view is a part of the first tensor, with a label of its own', async () => {
  const whole = Tensor.from(memory, numbers(12), [3, 4], 'whole');
  const part = whole.view(3, [2, 3]).view(2, [2, 2], 'inner');
  expect([part.start, part.byteOffset, part.length, part.label]).toEqual([5, 20, 4, 'inner']);
  expect([...(await part.read())]).toEqual([5, 6, 7, 8]);
  part.write(Float32Array.of(50, 60));
  expect([...(await whole.read())].slice(4, 9)).toEqual([4, 50, 60, 7, 8]);
  expect([...(await whole.view(0, [12]).read())]).toHaveLength(12);
});

test('the memory is the whole tensor’s: to dispose of a view does nothing, and of the whole ends its views', async () => {
  const whole = Tensor.from(memory, numbers(12), [12], 'whole');
  {
    using part = whole.view(2, [3], 'part');
    expect([...(await part.read())]).toEqual([2, 3, 4]);
  }
  expect([...(await whole.read())]).toEqual(numbers(12));
  const part = whole.view(2, [3], 'part');
  whole.dispose();
  whole.dispose();
  part.dispose();
  expect(memory.used.size).toBe(0);
  await expect(part.read()).rejects.toThrow(DisposedError);
  await expect(part.read()).rejects.toThrow('"part" has no memory: use it after compile() and before dispose().');
  expect(() => whole.buffer).toThrow('"whole" has no memory');
});

test('write takes no more values than there are elements, and fewer for the first ones', async () => {
  const whole = Tensor.from(memory, numbers(8), [8], 'whole');
  const part = whole.view(2, [2, 2], 'part');
  expect(() => part.write(new Float32Array(5))).toThrow('write: "part" (2, 2) has 4 elements, but got 5 values.');
  expect(() => whole.write(new Float32Array(9))).toThrow(ShapeError);
  part.write(Float32Array.of(9));
  expect([...(await whole.read())]).toEqual([0, 1, 9, 3, 4, 5, 6, 7]);
});

test('bytes are written in whole words, so that a view of bytes may not spoil its neighbours', async () => {
  const bytes = Tensor.empty(memory, [7], 'bytes', 'u8');
  bytes.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
  expect([...(await bytes.read())]).toEqual([1, 2, 3, 4, 5, 6, 7]);
  const wrong = [
    () => bytes.view(0, [3], 'part').write(Uint8Array.of(9, 9, 9)),
    () => bytes.view(1, [4], 'part').write(Uint8Array.of(9, 9, 9, 9)),
  ];
  for (const write of wrong) {
    expect(write).toThrow(ShapeError);
    expect(write).toThrow(/^write: view "part" must be written in whole 4-byte words/);
  }
  bytes.view(0, [4]).write(Uint8Array.of(9, 9, 9, 9));
  expect([...(await bytes.read())]).toEqual([9, 9, 9, 9, 5, 6, 7]);
  expect([...(await bytes.view(5, [2]).read())]).toEqual([6, 7]);
});

test('wraps of one buffer have labels of their own, and to dispose of one leaves the others usable', async () => {
  const buffer = ArrayMemory.buffer(64, 'mine');
  const first = Tensor.wrap(buffer, [4], { gpu: memory, label: 'first' });
  const second = Tensor.wrap(buffer, [2, 8], { label: 'second' });
  expect([first.label, second.label, Tensor.wrap(buffer, [1]).label]).toEqual(['first', 'second', 'mine']);
  expect(second.storage).toBe(first.storage);
  second.write(Float32Array.from(numbers(16)));
  second.dispose();
  first.dispose();
  expect([...(await first.read())]).toEqual([0, 1, 2, 3]);
  expect([...(await second.read())]).toEqual(numbers(16));
  expect(() => second.view(15, [2])).toThrow('does not fit in "second" (2, 8)');
  expect(memory.used.size).toBe(0);
});

test('a wrap without a Gpu says so under its own label, and reads once one of its buffer has come with one', async () => {
  const buffer = ArrayMemory.buffer(16, 'mine');
  Tensor.wrap(buffer, [4], { label: 'earlier' });
  const without = Tensor.wrap(buffer, [4], { label: 'later' });
  await expect(without.read()).rejects.toMatchObject({
    code: 'no-gpu',
    message: '"later" has no device to read and write it with. Pass { gpu } to Tensor.wrap.',
  });
  expect(() => without.write(new Float32Array(4))).toThrow('"later" has no device');
  const having = Tensor.wrap(buffer, [4], { gpu: memory });
  having.write(Float32Array.of(1, 2, 3, 4));
  expect([...(await having.read())]).toEqual([1, 2, 3, 4]);
  expect([...(await without.read())]).toEqual([1, 2, 3, 4]);
});

test('of two Gpus over an app’s device the later one reads, for the earlier may be gone', async () => {
  const buffer = ArrayMemory.buffer(16);
  const gone = new ArrayMemory();
  gone.read = async () => {
    throw new DisposedError('This Gpu has been destroyed.');
  };
  const earlier = Tensor.wrap(buffer, [4], { gpu: gone });
  await expect(earlier.read()).rejects.toThrow(DisposedError);
  expect([...(await Tensor.wrap(buffer, [4], { gpu: memory }).read())]).toEqual([0, 0, 0, 0]);
  expect([...(await earlier.read())]).toEqual([0, 0, 0, 0]);
});

test('a wrap of a tensor’s own buffer is a view of it: they share a storage, and the tensor keeps the memory', async () => {
  const tensor = Tensor.from(memory, numbers(8), [8], 'tensor');
  const other = new ArrayMemory();
  const wrap = Tensor.wrap(tensor.buffer, [4], { gpu: other, label: 'wrap' });
  expect(wrap.storage).toBe(tensor.storage);
  wrap.dispose();
  expect([...(await tensor.read())]).toEqual(numbers(8));
  const { buffer } = tensor;
  tensor.dispose();
  expect([memory.used.size, other.used.size]).toEqual([0, 0]);
  expect(() => wrap.buffer).toThrow('"wrap" has no memory');
  expect(() => Tensor.wrap(buffer, [4], { label: 'late' }).buffer).toThrow('"late" has no memory');
});

test('a buffer too small, of no size, or of another usage is refused by its label', () => {
  const buffer = ArrayMemory.buffer(15, 'mine');
  expect(() => Tensor.wrap(buffer, [2, 2])).toThrow('Tensor.wrap: "mine" has 15 bytes, but shape (2, 2) needs 16.');
  expect(() => Tensor.wrap(buffer, [2, 2], { label: 'own' })).toThrow(ShapeError);
  expect(() => Tensor.wrap(buffer, [0])).toThrow('"mine" has shape (0); every size must be a positive integer.');
  expect(() => Tensor.wrap(buffer, [Number.NaN])).toThrow(ShapeError);
  const uniform = ArrayMemory.buffer(16, 'uniform', 0x40 | 0x8);
  expect(() => Tensor.wrap(uniform, [4])).toThrow(MlpError);
  expect(() => Tensor.wrap(uniform, [4])).toThrow('Tensor.wrap: "uniform" lacks STORAGE usage.');
  expect(Tensor.wrap(ArrayMemory.buffer(16, 'storage', 0x80), [4]).length).toBe(4);
});

test('from and empty refuse shapes that nothing can have, and values that are not as many', () => {
  expect(() => Tensor.from(memory, [1, 2], [3], 'three')).toThrow(
    'Tensor.from: "three" has shape (3), which is 3 elements, but got 2 values.',
  );
  expect(() => Tensor.from(memory, [], [0])).toThrow(ShapeError);
  expect(() => Tensor.empty(memory, [2, -1])).toThrow(ShapeError);
  expect(memory.used.size).toBe(0);
});
