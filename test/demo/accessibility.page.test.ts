import type { Browser } from 'puppeteer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type Demo, openDemo } from '../support/demo-page.ts';
import { patient } from '../support/patience.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

const looks = [
  { name: 'light', width: 1280, dark: false },
  { name: 'dark', width: 1280, dark: true },
  { name: '360 px, light', width: 360, dark: false },
  { name: '360 px, dark', width: 360, dark: true },
];

/** Findings of axe in every look of the page as it is now. The page stays in the last look. */
async function violations(demo: Demo): Promise<string[]> {
  const found: string[] = [];
  for (const { name, ...look } of looks) {
    await demo.look(look);
    found.push(...(await demo.violations()).map((violation) => `${name}: ${violation}`));
  }
  return found;
}

/** The width that the page has beyond the window, and the targets that are smaller than a finger. */
const layout = ({ page }: Demo): Promise<{ overflow: number; small: string[] }> =>
  page.evaluate(() => ({
    overflow: document.documentElement.scrollWidth - innerWidth,
    small: [...document.querySelectorAll<HTMLElement>('button, input, select, summary, #pad')]
      .filter((element) => element.checkVisibility())
      .map((element) => ({ name: element.id || element.textContent?.trim(), box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 44 || box.height < 44)
      .map(({ name, box }) => `${name}: ${box.width} × ${box.height}`),
  }));

// One page in all looks, because each page that trains compiles its kernels anew.
test('axe finds nothing before, during and after training; at 360 px nothing sticks out or is too small', async () => {
  await using demo = await openDemo(browser, { query: '?limit=5000&layers=32&epochs=100' });
  await demo.state('ready');
  expect(await violations(demo)).toEqual([]);
  // A faulty field and an open table are there to be looked at too.
  await demo.page.$eval('#seed', (input) => {
    Object.assign(input, { value: 'x' });
    input.dispatchEvent(new Event('input', { bubbles: true }));
  });
  expect(await violations(demo)).toEqual([]);
  await demo.page.$eval('#seed', (input) => {
    Object.assign(input, { value: '1' });
    input.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await demo.click('#start');
  await demo.state('running');
  expect(await demo.violations()).toEqual([]);
  await demo.page.waitForSelector('#gallery button', { timeout: patient(60_000) });
  await demo.click('#start');
  await demo.state('paused');
  await demo.click('#loss-chart summary');
  await demo.page.waitForSelector('#loss-chart tbody tr');
  await demo.click('#pad-pick');
  expect(await violations(demo)).toEqual([]);
  await demo.click('#plan-measure');
  await demo.state('measuring');
  expect(await demo.violations()).toEqual([]);
  await demo.state('paused');
  await demo.page.waitForSelector('#plan tbody tr');
  expect(await violations(demo)).toEqual([]);
  expect(await layout(demo)).toEqual({ overflow: 0, small: [] });
  expect(demo.problems).toEqual([]);
});

test('the page is read in order: one main heading, every section named', async () => {
  await using demo = await openDemo(browser, { query: '?limit=1000' });
  const headings = await demo.page.$$eval('h1, h2, legend', (found) =>
    found.map((heading) => heading.textContent?.trim()),
  );
  expect(headings).toEqual([
    'Teach a network to read digits',
    'Training stopped',
    'Training',
    'Loss',
    'Accuracy',
    'Settings',
    'Write a digit',
    'Misread test digits',
    'A step on the GPU',
  ]);
});
