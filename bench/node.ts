// The bench on Dawn for Node. bench/cli.mjs bundles it into one script that needs only Node and Dawn.
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { promisify } from 'node:util';
import { UsageError } from '../tools/usage.mjs';
import { timeFirstStep } from './cold.js';
import { HELP, readOptions } from './options.mjs';
import { output } from './output.js';
import { Progress } from './progress.mjs';
import { runBench } from './run.js';
import { SelectionError } from './suite.js';
import { Gpu } from './training/model.js';

interface Dawn {
  create(options: readonly string[]): GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

/** Defines WebGPU's classes and `navigator.gpu` in Node, as in a page. */
async function installWebGpu(): Promise<void> {
  const path = process.env.DAWN_NODE;
  const { create, globals }: Dawn =
    path === undefined || path === '' ? await import('webgpu') : createRequire(import.meta.url)(path);
  // Dawn's GPU object is garbage-collected even while its devices are in use, and a pipeline that is being compiled then
  // crashes the process. As a property of `navigator` the object lives as long as the process.
  const gpu = create([]);
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'Node' }, configurable: true });
}

/** Measures a first step in a new process. */
async function coldInProcess(caseName: string, contender: string, peers: boolean): Promise<number> {
  const script = process.argv[1] ?? '';
  const args = [script, '--cold', caseName, '--contender', contender, ...(peers ? [] : ['--no-peers'])];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 });
  const ms = Number(/^cold (\S+)$/m.exec(stdout)?.[1]);
  if (!Number.isFinite(ms)) throw new Error(`The process of a first step says no time, but: ${stdout.trim()}`);
  return ms;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const { help, cold, only, quick, full, peers } = options;
  if (help) {
    console.log(HELP);
    return;
  }
  await installWebGpu();
  if (cold !== undefined) {
    console.log(`cold ${await timeFirstStep(cold.caseName, cold.contender, peers)}`);
    return;
  }
  const progress = new Progress();
  try {
    const report = await runBench(
      { only, quick, full, peers },
      {
        runtime: `Node ${process.versions.node} + Dawn`,
        cpu: cpus()[0]?.model ?? '',
        requestGpu: () => Gpu.request({ powerPreference: 'high-performance' }),
        cold: (caseName, contender) => coldInProcess(caseName, contender, peers),
        progress: (step) => progress.show(step),
      },
    );
    progress.hide();
    output(report, options);
  } finally {
    progress.hide();
  }
}

main().then(
  // Explicit, because Dawn's threads keep the process alive.
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(error instanceof UsageError || error instanceof SelectionError ? 2 : 1);
  },
);
