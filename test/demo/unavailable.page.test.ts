import puppeteer, { type Browser, type Page } from 'puppeteer';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { findBrowser, launchOptions } from '../../tools/browser.mjs';
import { type Demo, openDemo } from '../support/demo-page.ts';
import { patient } from '../support/patience.ts';

/** A public address that leads to this machine: a page from there is no secure context. */
const INSECURE_HOST = '203.0.113.7';
let browser: Browser;
let browserWithoutAdapter: Browser;

beforeAll(async () => {
  const { args, ...options } = launchOptions(await findBrowser());
  const rules = `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`;
  browser = await puppeteer.launch({ ...options, args: [...args, rules] });
  const without = [
    ...args.filter((arg) => arg !== '--enable-unsafe-webgpu'),
    '--disable-gpu',
    '--disable-software-rasterizer',
  ];
  browserWithoutAdapter = await puppeteer.launch({ ...options, args: without });
});
afterAll(() => Promise.all([browser?.close(), browserWithoutAdapter?.close()]));

interface Cause {
  readonly reason: string;
  readonly title: string;
  readonly advice: RegExp;
  readonly open: (query?: string) => Promise<Demo>;
}

const causes: Cause[] = [
  {
    reason: 'insecure-context',
    title: 'This page needs a secure address',
    advice: /https/,
    open: (query = '') => {
      const url = new URL(inject('demoUrl'));
      url.hostname = INSECURE_HOST;
      return openDemo(browser, { query, url: url.href });
    },
  },
  {
    reason: 'no-webgpu',
    title: 'This browser has no WebGPU',
    advice: /Chrome or Edge 113/,
    open: (query = '') => {
      const before = (page: Page): Promise<unknown> =>
        page.evaluateOnNewDocument(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }));
      return openDemo(browser, { query, before });
    },
  },
  {
    reason: 'no-adapter',
    title: 'No GPU answered',
    advice: /--enable-unsafe-webgpu/,
    open: (query = '') => openDemo(browserWithoutAdapter, { query }),
  },
  {
    reason: 'device-refused',
    title: 'The GPU refused to work for this page',
    advice: /Close other tabs/,
    open: (query = '') => {
      const before = (page: Page): Promise<unknown> =>
        page.evaluateOnNewDocument(() => {
          GPUAdapter.prototype.requestDevice = () => Promise.reject(new DOMException('refused', 'OperationError'));
        });
      return openDemo(browser, { query, before });
    },
  },
];

describe.each(causes)('without WebGPU: $reason', ({ title, advice, open, reason }) => {
  test('says what is missing and what to do, at 1280 and at 360 px', async () => {
    await using demo = await open();
    await demo.page.waitForSelector('.unavailable', { timeout: patient(20_000) });
    expect(await demo.text('.unavailable h2')).toBe(title);
    expect(await demo.text('.unavailable ol')).toMatch(advice);
    expect(await demo.text('#adapter-name')).toBe('None');
    expect(await demo.text('.recorded')).toContain('1,407 steps');
    for (const look of [
      { width: 1280, dark: false },
      { width: 360, dark: true },
    ]) {
      await demo.look(look);
      expect(await demo.violations()).toEqual([]);
      expect(await demo.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    }
    expect(demo.problems.filter((problem) => !problem.includes('WebGPU'))).toEqual([]);
  });

  test('a headless run reports it', async () => {
    const events: Record<string, unknown>[] = [];
    await using demo = await open('?headless=1');
    await demo.page.exposeFunction('reportTraining', (event: Record<string, unknown>) => void events.push(event));
    await demo.page.reload();
    await demo.page.waitForSelector('.unavailable', { timeout: patient(20_000) });
    expect(events.at(-1)).toMatchObject({ type: 'error', code: reason });
  });
});
