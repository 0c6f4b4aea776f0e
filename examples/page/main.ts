import { Gpu } from 'webgpu-mlp';
import type { Progress } from '../report.ts';
import { catalogue, type Outcome } from './catalogue.ts';

/** Events that the page sends to examples/cli.mjs. */
export type ExampleEvent =
  | { readonly type: 'adapter'; readonly adapter: string }
  | ({ readonly type: 'progress'; readonly what: string } & Progress)
  | ({ readonly type: 'done'; readonly seconds: number } & Outcome)
  | { readonly type: 'error'; readonly name: string; readonly message: string };

declare global {
  /** Defined by examples/cli.mjs. */
  var reportExample: ((event: ExampleEvent) => void) | undefined;
}

const tell = (event: ExampleEvent): void => globalThis.reportExample?.(event);

/** Runs the example that the address names. */
async function run(query: URLSearchParams): Promise<void> {
  const name = query.get('name') ?? '';
  const epochs = query.get('epochs');
  const seed = query.get('seed');
  const example = catalogue[name];
  if (example === undefined) throw new Error(`There is no example "${name}".`);
  const gpu = await Gpu.request();
  const { vendor, architecture, description, software } = gpu.info;
  const names = [vendor, architecture, description].filter((word) => word !== '').join(' ');
  tell({ type: 'adapter', adapter: `${names || 'unnamed'}${software ? ', a software adapter' : ''}` });
  const began = performance.now();
  const outcome = await example({
    gpu,
    report: (progress, what = '') => tell({ type: 'progress', what, ...progress }),
    ...(epochs !== null && { epochs: Number(epochs) }),
    ...(seed !== null && { seed: Number(seed) }),
  });
  tell({ type: 'done', seconds: (performance.now() - began) / 1000, ...outcome });
}

run(new URLSearchParams(location.search)).catch((error: unknown) => {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  tell({ type: 'error', name, message });
});
