import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PARAMETER_BLOCK } from '../../src/plan/parameter-block.js';
import { BINDING_ALIGNMENT } from '../../src/plan/tensor.js';

const shader = (path: string): string => readFileSync(new URL(`../../shaders/${path}`, import.meta.url), 'utf8');

/** Every match's groups, as numbers. */
const numbers = (text: string, pattern: RegExp): number[] =>
  [...text.matchAll(pattern)].map(([, found]) => Number(found));

/** Elements of a vec4, which the index of an update counts. */
const VEC4 = 4;

test('a binding may begin at a block', () => {
  expect(4 * PARAMETER_BLOCK).toBe(BINDING_ALIGNMENT);
});

test('an update finds the layer of a vec4 by its block', () => {
  const shifts = numbers(shader('lib/update.wgsl'), /\blayerOfBlock\[i >> (\d+)u?\]/g);
  expect(shifts.map((shift) => VEC4 << shift)).toEqual([PARAMETER_BLOCK]);
});

test('a block has whole words of the parameter mask, which has a bit for each of 32 elements', () => {
  for (const path of ['lib/penalties.wgsl', 'optimizer/gradient-norm.wgsl']) {
    const shifts = numbers(shader(path), /\bparameterMask\[i >> (\d+)u?\]/g);
    expect(
      shifts.map((shift) => VEC4 << shift),
      path,
    ).toEqual([32]);
  }
  expect(PARAMETER_BLOCK % 32).toBe(0);
});

test('train-tiny takes the layers from block to block', () => {
  const [, added, mask] = /\+ (\d+)u?\) & ~(\d+)u?/.exec(shader('fused/train-tiny.wgsl')) ?? [];
  expect([Number(added), Number(mask)]).toEqual([PARAMETER_BLOCK - 1, PARAMETER_BLOCK - 1]);
});

test('weight-update is told a block, and takes its layer as it is', () => {
  expect(shader('software/weight-update.wgsl')).toMatch(/\blayerOfBlock\[hyper\.start\]/);
});
