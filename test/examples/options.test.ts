import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EXAMPLES, HELP, readOptions } from '../../examples/options.mjs';
import { catalogue } from '../../examples/page/catalogue.js';
import { UsageError } from '../../tools/usage.mjs';

const folder = mkdtempSync(join(tmpdir(), 'webgpu-mlp-example-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('options of npm run example', () => {
  test('a name, and every option that --help names', () => {
    const json = join(folder, 'out.json');
    const none = { epochs: undefined, seed: undefined, json: undefined };
    expect(readOptions(['xor'])).toEqual({ ...none, help: false, name: 'xor' });
    expect(readOptions(['sine', '--epochs', '3', '--seed', '0', '--json', json])).toEqual({
      help: false,
      name: 'sine',
      epochs: '3',
      seed: '0',
      json,
    });
    expect([...HELP.matchAll(/^ {2}--([a-z]+)/gm)].map(([, name]) => name)).toEqual(['epochs', 'seed', 'json', 'help']);
  });

  test('without a name, and with --help, it lists the examples', () => {
    expect(readOptions([]).help).toBe(true);
    expect(readOptions(['xor', '--help']).help).toBe(true);
    for (const [name, text] of Object.entries(EXAMPLES))
      expect(HELP).toMatch(new RegExp(`^ {2}${name} +${text}$`, 'm'));
  });

  test.each([
    [['xro'], /^There is no example "xro"\. There are:\n\n {2}xor /],
    [['toString'], /^There is no example "toString"\./],
    [['xor', 'iris'], /^One example runs at a time, but there are 2: xor, iris\.$/],
    [['xor', '--epoch', '3'], /^Unknown option '--epoch'\..* `npm run example -- --help` lists them\.$/],
    [['xor', '--epochs', '0'], /^--epochs is "0"; it must be a whole number from 1 to 10000\.$/],
    [['xor', '--epochs', '2.5'], /^--epochs is "2\.5"; /],
    [['xor', '--seed', 'x'], /^--seed is "x"; it must be a whole number, 0 or more\.$/],
    [['xor', '--seed', '9007199254740993'], /^--seed is "9007199254740993"; /],
    [
      ['xor', '--json', join(folder, 'nowhere', 'x.json')],
      /^--json is ".*x\.json", but there is no folder .*nowhere\. /,
    ],
    [['xor', '--json', folder], /^--json is ".*", which is a folder\. Name a file\.$/],
  ])('%j: what is wrong', (args, message) => {
    expect(() => readOptions(args)).toThrow(UsageError);
    expect(() => readOptions(args)).toThrow(message);
  });
});

test('every example is a file, is described, and can be run', () => {
  const others = ['report.ts'];
  const files = readdirSync(new URL('../../examples', import.meta.url)).filter((file) => file.endsWith('.ts'));
  const names = files.filter((file) => !others.includes(file)).map((file) => file.replace('.ts', ''));
  expect(Object.keys(EXAMPLES).sort()).toEqual(names.sort());
  expect(Object.keys(catalogue).sort()).toEqual(names);
});
