import { build, preview } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of the built demo; ends in a slash. */
    demoUrl: string;
  }
}

/** Builds the demo and serves it, as a visitor gets it, for the tests of pages, x.page.test.ts. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const configFile = 'demo/vite.config.ts';
  await build({ configFile, logLevel: 'warn' });
  const server = await preview({ configFile, logLevel: 'warn', preview: { host: '127.0.0.1', port: 0, open: false } });
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error('The demo is not served: vite preview names no address.');
  project.provide('demoUrl', url);
  return () => server.close();
}
