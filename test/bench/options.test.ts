import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { HELP, readOptions } from '../../bench/options.mjs';
import { UsageError } from '../../tools/usage.mjs';

const folder = mkdtempSync(join(tmpdir(), 'webgpu-mlp-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('options of npm run bench', () => {
  test('without any', () => {
    expect(readOptions([])).toEqual({
      help: false,
      node: false,
      serve: false,
      only: '',
      quick: false,
      full: false,
      peers: true,
      json: undefined,
      html: undefined,
      earlier: undefined,
      cold: undefined,
    });
  });

  test('every option that --help names is taken', () => {
    const report = {
      schema: 1,
      date: '2026-11-21T12:00:00.000Z',
      commit: 'abc1234',
      settings: { quick: false, full: false, only: '' },
      environment: {
        adapter: { vendor: 'google', architecture: 'swiftshader', description: '', software: true },
        runtime: 'Chrome 156.0',
        versions: {},
        limits: {},
      },
      results: [],
    };
    const values: Record<string, string> = {
      only: 'matmul',
      json: join(folder, 'new.json'),
      html: join(folder, 'new.html'),
      compare: file('old.json', JSON.stringify(report)),
    };
    const options = [...HELP.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name = '']) => name);
    const args = options
      .filter((name) => name !== 'serve')
      .flatMap((name) => [`--${name}`, ...(values[name] === undefined ? [] : [values[name]])]);
    expect(readOptions(args)).toEqual({
      help: true,
      node: true,
      serve: false,
      only: 'matmul',
      quick: true,
      full: true,
      peers: false,
      json: values.json,
      html: values.html,
      earlier: report,
      cold: undefined,
    });
    expect(readOptions(['--serve']).serve).toBe(true);
  });

  test.each([
    [['--onyl', 'x'], /^Unknown option '--onyl'\. Options come after `--`; `npm run bench -- --help` lists them\.$/],
    [['matmul'], /^Unexpected argument 'matmul'\./],
    [['--only'], /^Option '--only <value>' argument missing\./],
    [['--node', '--serve'], /^--node and --serve exclude each other/],
    [
      ['--compare', join(folder, 'nowhere.json')],
      /^--compare is ".*nowhere\.json", and there is no such file\. Name one that --json wrote\.$/,
    ],
    [['--compare', folder], /and there is no such file/],
    [['--json', join(folder, 'nowhere', 'x.json')], /^--json is ".*x\.json", but there is no folder .*nowhere\. /],
    [['--html', folder], /^--html is ".*", which is a folder\. Name a file\.$/],
  ])('%j: one sentence', (args, message) => {
    expect(() => readOptions(args)).toThrow(UsageError);
    expect(() => readOptions(args)).toThrow(message);
  });

  test.each(['', '[]', '{"schema":2}', '{"schema":1}'])('%j is no report', (text) => {
    const path = file('other.json', text);
    expect(() => readOptions(['--compare', path])).toThrow(UsageError);
    expect(() => readOptions(['--compare', path])).toThrow(`--compare "${path}" `);
  });
});
