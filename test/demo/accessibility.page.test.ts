import type { Browser } from 'puppeteer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { openDemo } from '../support/demo-page.ts';
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

test.each(looks)('axe finds nothing, before, during and after training: $name', async ({ width, dark }) => {
  await using demo = await openDemo(browser, { query: '?limit=1000&layers=32&epochs=40', width, dark });
  await demo.state('ready');
  expect(await demo.violations()).toEqual([]);
  // A faulty field and an open table are there to be looked at too.
  await demo.page.$eval('#seed', (input) => {
    Object.assign(input, { value: 'x' });
    input.dispatchEvent(new Event('input', { bubbles: true }));
  });
  expect(await demo.violations()).toEqual([]);
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
  expect(await demo.violations()).toEqual([]);
  await demo.click('#plan-measure');
  await demo.state('measuring');
  expect(await demo.violations()).toEqual([]);
  await demo.state('paused');
  await demo.page.waitForSelector('#plan tbody tr');
  expect(await demo.violations()).toEqual([]);
  expect(demo.problems).toEqual([]);
});

test('at 360 px nothing sticks out, and every target measures at least 44 px', async () => {
  await using demo = await openDemo(browser, {
    query: '?limit=1000&layers=32&epochs=1&autostart',
    width: 360,
    height: 740,
  });
  await demo.state('done');
  await demo.page.waitForSelector('#gallery button', { timeout: patient(20_000) });
  await demo.click('#plan-measure');
  await demo.page.waitForSelector('#plan tbody tr', { timeout: patient(20_000) });
  const { overflow, small } = await demo.page.evaluate(() => ({
    overflow: document.documentElement.scrollWidth - innerWidth,
    small: [...document.querySelectorAll<HTMLElement>('button, input, select, summary, #pad')]
      .filter((element) => element.checkVisibility())
      .map((element) => ({ name: element.id || element.textContent?.trim(), box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 44 || box.height < 44)
      .map(({ name, box }) => `${name}: ${box.width} × ${box.height}`),
  }));
  expect(overflow).toBe(0);
  expect(small).toEqual([]);
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
