import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { activationsWgsl } from '../../shaders/activations.js';
import { shaderPath } from '../../shaders/plugin.js';
import { fusedErrors, networks, plantedErrors } from '../support/planted.js';

const names = readdirSync(new URL('../../shaders/', import.meta.url), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.wgsl'))
  .map((file) => basename(file, '.wgsl'));

function textOf(name: string): string {
  const text = readFileSync(shaderPath(name), 'utf8');
  return name === 'activations' ? text + activationsWgsl() : text;
}

const planted = [...plantedErrors.flat(), ...fusedErrors];

/** Shaders that compute no gradient: checkGradients would have nothing to say of them. */
const withoutGradients = {
  'forward alone': ['batch-norm', 'gather-rows', 'layer-norm', 'softmax', 'transpose'],
  'counts and statistics': [
    'batch-loss',
    'class-counts',
    'class-of',
    'column-statistics',
    'extremes',
    'histogram',
    'score-counts',
    'value-sums',
  ],
  'places to look from': ['shift-parameters'],
  'what is done with gradients': [
    'adagrad',
    'adam',
    'batch-share',
    'gradient-norm',
    'penalties',
    'rmsprop',
    'running-average',
    'sgd',
    'sgd-rule',
    'update',
  ],
  // An error there is in both directions, or in a product that has an error of its own planted.
  'parts of others': ['compensated', 'finite', 'matmul-operands', 'matmul-quad', 'philox', 'step', 'total'],
};

test('every shader that computes gradients has an error planted in it; a new one is named here', () => {
  const without = Object.values(withoutGradients).flat();
  const known = [...new Set([...planted.map(({ shader }) => shader), ...without])];
  expect(known.sort()).toEqual(names.sort());
  for (const name of without.filter((other) => other !== 'matmul-operands')) {
    expect(textOf(name), name).not.toMatch(/override (BACKWARD|ACTIVATION_GRADIENT)|fn put_gradient/);
  }
});

test.each(planted)('in $shader there is the text "$text"', ({ shader, text, wrong }) => {
  expect(textOf(shader).includes(text)).toBe(true);
  expect(wrong).not.toBe(text);
});

test('every network of a planted error is one that passes without it', () => {
  expect(plantedErrors.flat().filter(({ network }) => networks[network] === undefined)).toEqual([]);
});
