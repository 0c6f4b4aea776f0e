import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'puppeteer';
import { inject } from 'vitest';
import { patient } from './patience.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export type State = 'loading' | 'ready' | 'running' | 'paused' | 'done' | 'measuring' | 'failed';

/** Size and colours of a page. Default: 1280 × 900 pixels, light. */
export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
}

export interface OpenOptions extends Look {
  /** Query of the address, such as `?limit=2000`. */
  readonly query?: string;
  /** Address to open instead of the one at which the demo is served. */
  readonly url?: string;
  /** Prepares the page before it opens the address. */
  readonly before?: (page: Page) => Promise<unknown>;
}

/** The demo, open in a page of its own, with the errors and warnings of the page. */
export interface Demo {
  readonly page: Page;
  /** Console errors and warnings, exceptions, failed requests, and requests to other origins. */
  readonly problems: string[];
  state(name: State): Promise<void>;
  text(selector: string): Promise<string>;
  click(selector: string): Promise<void>;
  /** Shows the page in another look. */
  look(look: Look): Promise<void>;
  /** Findings of axe-core, one line per rule. */
  violations(): Promise<string[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openDemo(browser: Browser, options: OpenOptions = {}): Promise<Demo> {
  const { query = '', before } = options;
  const url = options.url ?? inject('demoUrl');
  const page = await browser.newPage();
  page.setDefaultTimeout(patient(30_000));
  const problems: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${String(error)}`));
  page.on('requestfailed', (request) => problems.push(`failed: ${request.url()}`));
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== 'data:' && origin !== new URL(url).origin) problems.push(`third party: ${request.url()}`);
  });
  const look = async ({ width = 1280, height = 900, dark = false }: Look): Promise<void> => {
    await page.setViewport({ width, height });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
  };
  await look(options);
  await before?.(page);
  await page.goto(`${url}${query}`);
  return {
    page,
    problems,
    state: async (name) => {
      const reached = (wanted: string): boolean => document.body.dataset.state === wanted;
      await page.waitForFunction(reached, { timeout: patient(120_000) }, name).catch(async (cause: unknown) => {
        const state = await page.evaluate(
          () => `${document.body.dataset.state}: ${document.querySelector('main')?.textContent}`,
        );
        throw new Error(`The page does not become "${name}". It is ${state.slice(0, 400)}`, { cause });
      });
    },
    text: (selector) => page.$eval(selector, (element) => element.textContent?.trim() ?? ''),
    click: (selector) => page.click(selector),
    look,
    violations: async () => {
      await page.evaluate(axe);
      return page.evaluate(async () => {
        const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
        const { violations } = await axe.run();
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
      });
    },
    [Symbol.asyncDispose]: () => page.close(),
  };
}

/** The ten bars, or an empty list where there are none. */
export function bars({ page }: Demo): Promise<number[]> {
  return page.$$eval('#bars li', (rows) =>
    rows.map((row) => row.dataset.probability ?? '').flatMap((text) => (text === '' ? [] : [Number(text)])),
  );
}

/** Waits until there are ten bars, or none. */
export async function barsBecome(demo: Demo, count: 0 | 10): Promise<number[]> {
  await demo.page.waitForFunction(
    (wanted) => {
      const rows = [...document.querySelectorAll<HTMLElement>('#bars li')];
      return rows.filter((row) => (row.dataset.probability ?? '') !== '').length === wanted;
    },
    { timeout: patient(20_000) },
    count,
  );
  return bars(demo);
}
