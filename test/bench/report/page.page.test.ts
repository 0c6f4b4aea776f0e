import type { Browser } from 'puppeteer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { htmlReport } from '../../../bench/report/html.js';
import { exampleReport } from '../../support/bench-report.js';
import { launchBrowser } from '../../support/browser.ts';
import { openDemo } from '../../support/demo-page.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

const url = `data:text/html;charset=utf-8,${encodeURIComponent(htmlReport(exampleReport()))}`;

test.each([
  { name: 'light', width: 1280, dark: false },
  { name: '360 px, dark', width: 360, dark: true },
])('the report of the bench, $name: axe finds nothing, nothing sticks out, text is legible', async (look) => {
  await using report = await openDemo(browser, { url, ...look });
  const { page } = report;
  expect(await report.violations()).toEqual([]);
  await page.$$eval('details', (all) => {
    for (const details of all) details.open = true;
  });
  expect(await report.violations()).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
  const heights = await page.$$eval('figure svg[role=img] text', (texts) =>
    texts.filter((text) => text.textContent !== '').map((text) => text.getBoundingClientRect().height),
  );
  expect(heights.length).toBeGreaterThan(20);
  expect(Math.min(...heights)).toBeGreaterThan(10); // pixels of a line
  expect(report.problems).toEqual([]);
});

test('text and symbols stand out from the sheet in both forms', async () => {
  for (const dark of [false, true]) {
    await using report = await openDemo(browser, { url, dark });
    const contrasts = await report.page.$eval('figure', (figure) => {
      const style = getComputedStyle(figure);
      const luminance = (name: string): number => {
        const [r = 0, g = 0, b = 0] = (style.getPropertyValue(name).match(/[0-9a-f]{2}/g) ?? []).map((byte) => {
          const share = Number.parseInt(byte, 16) / 255;
          return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const against = (name: string): number => {
        const [low = 0, high = 0] = [luminance(name), luminance('--sheet')].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
      };
      return { ink: against('--ink'), symbols: ['--own', '--jax', '--tfjs', '--variant'].map(against) };
    });
    expect(contrasts.ink).toBeGreaterThan(7);
    expect(Math.min(...contrasts.symbols)).toBeGreaterThan(3);
  }
});
