import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { HELP } from '../../examples/options.mjs';

const SCRIPT = fileURLToPath(new URL('../../examples/cli.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'webgpu-mlp-example-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the command printed, and how it ended. */
function run(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: 'pipe' });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...output }));
  });
}

test('npm run example -- xor: a table, and with --json what the example returned', async () => {
  const json = join(folder, 'xor.json');
  const { status, stdout, stderr } = await run('xor', '--epochs', '3', '--json', json);
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringMatching(/^Adapter: .+\n(.+\n)*[\d.]+ s on .+\n$/),
  });
  const record = JSON.parse(readFileSync(json, 'utf8'));
  expect(record).toEqual({
    example: 'xor',
    adapter: expect.stringMatching(/./),
    browser: expect.stringMatching(/^(Headless)?(Chrome|Edg)/),
    seconds: expect.any(Number),
    table: stdout.trimEnd(),
    result: [expect.objectContaining({ activation: 'tanh' }), expect.objectContaining({ activation: 'linear' })],
  });
  expect(stdout).toMatch(/^activation +loss +accuracy .*\n─.*\ntanh +[\d.]+ .*\nlinear +[\d.]+ .*\n$/);
});

test('with --seed another run', async () => {
  const tables = await Promise.all(
    ['3', '4'].map(async (seed) => (await run('xor', '--epochs', '3', '--seed', seed)).stdout),
  );
  expect(tables[0]).toMatch(/\ntanh +[\d.]+ /);
  expect(tables[1]).toMatch(/\ntanh +[\d.]+ /);
  expect(tables[1]).not.toBe(tables[0]);
});

test('without a name it lists the examples; an unknown one is a mistake of the caller', async () => {
  expect(await run()).toEqual({ status: 0, stdout: `${HELP}\n`, stderr: '' });
  const { status, stdout, stderr } = await run('xro');
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^There is no example "xro"\./);
});
