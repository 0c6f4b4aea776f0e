import { expect, test } from 'vitest';
import { DisposedError } from '../../src/base/errors.js';
import { type Disposable, Owner } from '../../src/base/owner.js';

/** An owner of three parts, and the names of those that have been freed. */
function owned(): { owner: Owner; parts: Disposable[]; freed: string[] } {
  const owner = new Owner('It is over.');
  const freed: string[] = [];
  const parts = ['a', 'b', 'c'].map((name) => owner.own({ dispose: () => freed.push(name) }));
  return { owner, parts, freed };
}

test('dispose frees every part once, the last one first', () => {
  const { owner, freed } = owned();
  owner.check();
  expect(owner.disposed).toBe(false);
  owner.dispose();
  owner.dispose();
  expect(freed).toEqual(['c', 'b', 'a']);
  expect(owner.disposed).toBe(true);
});

test('a part that is freed before the others is not freed again', () => {
  const { owner, parts, freed } = owned();
  owner.free(parts[1]!);
  expect(freed).toEqual(['b']);
  owner.check();
  owner.dispose();
  expect(freed).toEqual(['b', 'c', 'a']);
});

test('a part that comes too late is freed, and its maker gets the message of the owner', () => {
  const { owner, freed } = owned();
  owner.dispose();
  freed.length = 0;
  expect(() => owner.own({ dispose: () => freed.push('late') })).toThrow(new DisposedError('It is over.'));
  expect(freed).toEqual(['late']);
  expect(() => owner.check()).toThrow(new DisposedError('It is over.'));
});

test('a part may free others, or dispose of its owner, while it is freed', () => {
  const { owner, parts, freed } = owned();
  owner.own({
    dispose: () => {
      owner.free(parts[0]!);
      owner.dispose();
      freed.push('d');
    },
  });
  owner.dispose();
  expect([...freed].sort()).toEqual(['a', 'b', 'c', 'd']);
});
