import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { HELP, readOptions } from '../../demo/options.mjs';
import { checkSettings, DEFAULT_FIELDS } from '../../demo/settings.ts';
import { type Result, trainHeadless } from '../../demo/train-headless.mjs';
import { patient } from '../support/patience.ts';

const SCRIPT = fileURLToPath(new URL('../../demo/cli.mjs', import.meta.url));
const SMALL = ['--layers', '16', '--epochs', '1', '--limit', '2000', '--seed', '7'];

interface Run {
  readonly child: ChildProcess;
  /** Resolves once the output so far matches; rejects if the run ends without. */
  readonly says: (pattern: RegExp) => Promise<void>;
  readonly end: Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }>;
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Run {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: 'pipe', env: { ...process.env, CI: '1', ...env } });
  const output = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      for (const look of waiting) look();
    });
  }
  const end = new Promise<Awaited<Run['end']>>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...output }));
  });
  const says = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(output.stdout + output.stderr)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
      end.then(
        () => reject(new Error(`npm start ended without ${pattern}:\n${output.stdout}${output.stderr}`)),
        reject,
      );
    });
  return { child, says, end };
}

describe('options', () => {
  test('--help names every option, with the defaults of the page, and ends', async () => {
    const { status, stdout, stderr } = await start(['--help']).end;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toBe(`${HELP}\n`);
    const presets = new Map<string, string>();
    for (const [, name = '', preset = ''] of stdout.matchAll(/^ {2}--([a-z]+) .*?(?:\(([\d.,]+)\))?$/gm)) {
      presets.set(name, preset);
    }
    const { activation: _, ...fields } = DEFAULT_FIELDS;
    const others = { limit: '', port: '', headless: '', json: '', help: '' };
    expect(Object.fromEntries(presets)).toEqual({ ...fields, ...others });
    const strings = [...Object.keys(fields), 'limit'].flatMap((name) => [`--${name}`, presets.get(name) || '9']);
    const { training, ...rest } = readOptions([...strings, '--port', '9', '--headless', '--json', '--help']);
    expect(training).toEqual({ ...fields, limit: '9' });
    expect(rest).toEqual({ port: 9, headless: true, json: true, help: true });
  });

  test.each([
    [['--epoch', '3'], /^Unknown option '--epoch'\. Options come after `--`; `npm start -- --help` lists them\.\n$/],
    [['128'], /^Unexpected argument '128'\..* Options come after `--`; /],
    [['--epochs'], /^Option '--epochs <value>' argument missing\. /],
    [['--epochs', '0'], /^--epochs is "0"; it must be a whole number from 1 to 100\.\n$/],
  ])('%j: exit status 2 and one line', async (args, message) => {
    const { status, stdout, stderr } = await start(args).end;
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  test.each([
    ['epochs', '-1', 'a whole number from 1 to 100'],
    ['epochs', '1.5', 'a whole number from 1 to 100'],
    ['layers', '128,,64', 'one to eight whole numbers from 1 to 4096, separated by commas, such as 128,64'],
    ['layers', '', 'one to eight whole numbers from 1 to 4096, separated by commas, such as 128,64'],
    ['batch', 'many', 'a whole number from 1 to 4096'],
    ['rate', '0', 'a number more than 0, at most 10'],
    ['momentum', '1', 'a number from 0 to below 1'],
    ['seed', '4294967296', 'a whole number from 0 to 4294967295'],
    ['limit', '0', 'a whole number from 1 to 60000'],
    ['port', '65536', 'a whole number from 0 to 65535'],
  ])('--%s "%s" is refused', (name, value, words) => {
    expect(() => readOptions([`--${name}`, value])).toThrow(`--${name} is "${value}"; it must be ${words}.`);
  });

  test('the command line takes what the page takes: it would wait for a page that refuses to train', () => {
    const numbers = ['0', '1', '2', '0.5', '1.5', '10', '11', '100', '101', '4096', '4097', '4294967295', '4294967296'];
    const others = ['-1', '1e-3', '.5', 'x', 'NaN', 'Infinity', '1,2', '1,,2', '4096,4097', Array(8).fill(1).join(',')];
    for (const name of ['epochs', 'layers', 'batch', 'rate', 'momentum', 'seed'] as const) {
      for (const text of [...numbers, ...others, Array(9).fill(1).join(',')]) {
        const page = checkSettings({ ...DEFAULT_FIELDS, [name]: text }).ok;
        let taken = true;
        try {
          readOptions([`--${name}`, text]);
        } catch {
          taken = false;
        }
        expect({ name, text, taken }).toEqual({ name, text, taken: page });
      }
    }
  });
});

describe('training', () => {
  test('--json prints one object, and the same run without a display says the same in lines', async () => {
    const asJson = await start(['--headless', '--json', ...SMALL]).end;
    expect({ status: asJson.status, stderr: asJson.stderr }).toMatchObject({ status: 0 });
    const result = JSON.parse(asJson.stdout) as Result;
    expect(result).toEqual({
      adapter: {
        vendor: expect.any(String),
        architecture: expect.any(String),
        description: expect.any(String),
        software: expect.any(Boolean),
      },
      model: { sizes: [784, 16, 10], parameterCount: 784 * 16 + 16 + 16 * 10 + 10 },
      epochs: [
        {
          epoch: 1,
          loss: expect.any(Number),
          accuracy: expect.any(Number),
          validation: { loss: result.testLoss, accuracy: result.testAccuracy },
          seconds: result.seconds,
        },
      ],
      testAccuracy: expect.any(Number),
      testLoss: expect.any(Number),
      seconds: expect.any(Number),
      weightsHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(result.testAccuracy).toBeGreaterThan(0.5);

    const lines = await start(SMALL, { DISPLAY: '', WAYLAND_DISPLAY: '' }).end;
    expect({ status: lines.status, stderr: lines.stderr }).toEqual({ status: 0, stderr: '' });
    expect(lines.stdout).toMatch(/^Adapter: \S/);
    expect(lines.stdout).toContain('784 → 16');
    expect(lines.stdout).toMatch(/^epoch 1: loss \d\.\d{4} {2}accuracy \d+\.\d\d % .* s$/m);
    const percent = (100 * result.testAccuracy).toFixed(2);
    expect(lines.stdout).toMatch(new RegExp(`^Test accuracy ${percent} % after [\\d.]+ s of training\\n$`, 'm'));
  });

  test('Ctrl-C ends it with exit status 130', async () => {
    const { child, says, end } = start(['--headless', '--epochs', '100']);
    await says(/^Adapter: /);
    child.kill('SIGINT');
    const { status, stderr } = await end;
    expect({ status, stderr }).toEqual({ status: 130, stderr: 'Interrupted.\n' });
  });
});

test('with a display, the demo is served and opened until Ctrl-C', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-mlp-'));
  try {
    for (const name of ['open', 'xdg-open']) {
      writeFileSync(join(folder, name), `#!/bin/sh\nprintf %s "$1" > "${join(folder, 'opened')}"\n`);
      chmodSync(join(folder, name), 0o755);
    }
    const PATH = `${folder}${delimiter}${process.env.PATH}`;
    const { child, says, end } = start(['--layers', '128,64'], { CI: '', DISPLAY: ':0', PATH });
    await says(/until you press Ctrl-C/);
    await expect
      .poll(() => readFileSync(join(folder, 'opened'), 'utf8'), { timeout: patient(10_000) })
      .toMatch(/^http/);
    const address = readFileSync(join(folder, 'opened'), 'utf8');
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?layers=128,64$/);
    expect(await (await fetch(address)).text()).toContain('<title>');
    child.kill('SIGINT');
    expect(await end).toEqual({
      status: 0,
      stdout: `The demo is at ${address} until you press Ctrl-C.\n`,
      stderr: '',
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('a page that does not finish', () => {
  const finish = (script: string, patience?: number, signal = new AbortController().signal): Promise<Result> =>
    withPage(script, (url) =>
      trainHeadless(url, { print: () => {}, signal, ...(patience === undefined ? {} : { patience }) }),
    );

  test.each([
    ['reports an error', "reportTraining({ type: 'error', name: 'MlpError', message: 'No.' })", 'MlpError: No.'],
    ['throws', "throw new Error('Oh.')", 'The page failed: Oh.'],
    ['rejects', "Promise.reject(new Error('Oh.'))", 'The page failed: Oh.'],
    ['logs an error', "console.error('Oh.')", 'The page reports an error: Oh.'],
    ['lacks a file', "fetch('missing')", /^The page reports an error: Failed to load .*404.* \(http:.*\/missing\)$/],
    ['is done too soon', "reportTraining({ type: 'done' })", 'The page names no adapter or no model.'],
  ])('one that %s', async (_, script, message) => {
    await expect(finish(script)).rejects.toThrow(message);
  });

  test('one that says nothing', async () => {
    await expect(finish('', 500)).rejects.toThrow('The page has reported nothing for 0.5 s.');
  });

  test('one that is interrupted before it begins', async () => {
    const signal = AbortSignal.abort(new Error('Enough.'));
    await expect(finish('', undefined, signal)).rejects.toThrow('Enough.');
  });
});

/** Serves a page of this script while `use` runs. */
async function withPage<T>(script: string, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/missing' ? 404 : 200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><title>stub</title><link rel="icon" href="data:,"><script>${script}</script>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.close();
  }
}
