import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'puppeteer';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { barsBecome, type Demo, openDemo } from '../support/demo-page.ts';
import { patient } from '../support/patience.ts';
import { steady } from '../support/steady.ts';

const SMALL = '?limit=2000&layers=32';
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

const number = (text: string): number => Number.parseInt(text.replaceAll(',', ''), 10);

/** What two elements of the page have said, one after the other. */
interface Said {
  readonly said: Readonly<Record<'figure-test' | 'gallery-summary', readonly string[]>>;
}

async function waitForStep({ page }: Demo, beyond: number): Promise<void> {
  await page.waitForFunction(
    (least) => Number.parseInt(document.querySelector('#figure-step')?.textContent ?? '', 10) > least,
    { timeout: patient(60_000) },
    beyond,
  );
}

/** How many pixels of a chart have about the colour that the style sheet gives a series. */
function pixelsOf({ page }: Demo, chart: string, variable: string): Promise<number> {
  return page.$eval(
    `${chart} canvas`,
    (canvas, name) => {
      const colour = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
      const wanted = [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16));
      const plot = canvas as HTMLCanvasElement;
      const copy = new OffscreenCanvas(plot.width, plot.height).getContext('2d', { willReadFrequently: true });
      if (copy === null) return 0;
      copy.drawImage(plot, 0, 0);
      const { data } = copy.getImageData(0, 0, plot.width, plot.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) {
        if ((data[i + 3] ?? 0) > 200 && wanted.every((value, c) => Math.abs(value - (data[i + c] ?? 0)) < 12)) count++;
      }
      return count;
    },
    variable,
  );
}

test('the page opens with its adapter named, ready to start, and asks no other server', async () => {
  await using demo = await openDemo(browser, { query: SMALL });
  await demo.state('ready');
  expect(await demo.text('#adapter-name')).not.toBe('');
  const software = await demo.page.$eval('#adapter-software', (badge) => !(badge as HTMLElement).hidden);
  expect(software).toBe((await demo.text('#adapter-name')).includes('swiftshader'));
  expect(await demo.text('#model-shape')).toBe('784 → 32 → 10');
  expect(await demo.text('#start')).toBe('Start training');
  expect(demo.problems).toEqual([]);
});

test('one click trains: curves, figures, table, announcement and misread digits', async () => {
  await using demo = await openDemo(browser, { query: `${SMALL}&epochs=4` });
  await demo.state('ready');
  await demo.page.evaluate(() => {
    const said: Record<string, string[]> = { 'figure-test': [], 'gallery-summary': [] };
    Object.assign(globalThis, { said });
    for (const [id, texts] of Object.entries(said)) {
      const element = document.querySelector(`#${id}`);
      if (element === null) continue;
      new MutationObserver(() => texts.push(element.textContent ?? '')).observe(element, { childList: true });
    }
  });
  await demo.click('#start');
  await demo.state('done');
  await demo.page.waitForSelector('#gallery button', { timeout: patient(20_000) });

  expect(Number.parseFloat(await demo.text('#figure-test'))).toBeGreaterThan(60);
  expect(await demo.text('#figure-step')).toBe('16 of 16');
  expect(await demo.page.$eval('#track', (track) => track.getAttribute('aria-valuenow'))).toBe('100');
  expect(await demo.text('#announcement')).toMatch(/^Epoch 4 took .* test accuracy \d\d\.\d\d%\.$/);
  for (const [chart, name] of [
    ['#loss-chart', 'loss'],
    ['#accuracy-chart', 'accuracy'],
  ] as const) {
    expect(await pixelsOf(demo, chart, '--train')).toBeGreaterThan(100);
    expect(await pixelsOf(demo, chart, '--test')).toBeGreaterThan(40);
    expect(await demo.text(`${chart} .hint`)).toMatch(
      new RegExp(`^Training ${name} went from .* in 64 steps; test ${name} is`),
    );
    await demo.click(`${chart} summary`);
    await demo.page.waitForSelector(`${chart} tbody tr`);
    expect(await demo.text(`${chart} tbody tr:last-child th`)).toBe('64');
  }

  // After each epoch, also while training goes on, the misread digits are as many as the test accuracy says.
  await demo.page.waitForFunction(() => (globalThis as unknown as Said).said['gallery-summary'].length === 4);
  const said = await demo.page.evaluate(() => (globalThis as unknown as Said).said);
  const wrong = said['figure-test'].map((text) => Math.round(2000 - 20 * Number.parseFloat(text)));
  expect(said['gallery-summary'].map(number)).toEqual(wrong);

  const shown = await demo.page.$$eval('#gallery button', (buttons) => buttons.length);
  expect(shown).toBe(Math.min(48, number(await demo.text('#gallery-summary'))));
  await demo.click('#gallery button');
  await barsBecome(demo, 10);
  const label = await demo.page.$eval('#gallery button', (button) => button.getAttribute('aria-label') ?? '');
  const [, read, actual] = /read as (\d).*, is (\d)/.exec(label) ?? [];
  expect(await demo.text('#pad-verdict')).toBe(`Read as ${read}; it is ${actual}.`);
  expect(demo.problems).toEqual([]);
});

test('pause holds, a single step adds one, resume goes on, reset begins anew', async () => {
  await using demo = await openDemo(browser, { query: `${SMALL}&epochs=100&batch=32` });
  await demo.state('ready');
  await demo.click('#step');
  await demo.state('paused');
  await demo.page.waitForFunction(() => document.querySelector('#figure-step')?.textContent === '0 of 63 + 1');
  expect(await demo.text('#start')).toBe('Resume');

  await demo.click('#start');
  await demo.state('running');
  await waitForStep(demo, 4);
  await demo.click('#start');
  await demo.state('paused');
  const held = async (): Promise<string> => `${await demo.text('#figure-epoch')}, ${await demo.text('#figure-step')}`;
  // Steps that were queued before the pause still come back; without the pause the figure changes until the end.
  const before = await steady(held, 700);
  expect(await demo.page.evaluate(() => document.body.dataset.state)).toBe('paused');
  expect(await demo.page.$eval('#settings-fields', (fields) => (fields as HTMLFieldSetElement).disabled)).toBe(true);

  await demo.click('#step');
  await demo.page.waitForFunction(() => document.querySelector('#figure-step')?.textContent?.endsWith('+ 2'));
  await demo.click('#start');
  await demo.state('running');
  await demo.page.waitForFunction(
    (then) =>
      `${document.querySelector('#figure-epoch')?.textContent}, ${document.querySelector('#figure-step')?.textContent}` !==
      then,
    { timeout: patient(20_000) },
    `${before.replace('+ 1', '+ 2')}`,
  );

  await demo.click('#reset');
  await demo.state('ready');
  expect(await demo.text('#figure-step')).toBe('–');
  expect(await demo.text('#loss-chart .hint')).toBe('Nothing trained yet.');
  expect(demo.problems).toEqual([]);
});

test('the same seed trains the same weights, another seed others', async () => {
  await using demo = await openDemo(browser, { query: `${SMALL}&epochs=1&seed=5` });
  const hash = async (seed: string): Promise<string> => {
    await demo.state('ready');
    await demo.page.$eval('#seed', (input, value) => Object.assign(input, { value }), seed);
    await demo.click('#start');
    await demo.state('done');
    const title = await demo.page.$eval('#status', (status) => (status as HTMLElement).title);
    await demo.click('#reset');
    return title;
  };
  const first = await hash('5');
  expect(first).toMatch(/[0-9a-f]{64}$/);
  expect(await hash('5')).toBe(first);
  expect(await hash('6')).not.toBe(first);
});

test('a faulty setting is marked and said, and nothing starts', async () => {
  await using demo = await openDemo(browser, { query: SMALL });
  await demo.state('ready');
  await demo.page.$eval('#rate', (input) => (input as HTMLInputElement).select());
  await demo.page.type('#rate', 'fast');
  await demo.click('#start');
  expect(await demo.text('#rate-error')).toBe('More than 0, at most 10.');
  expect(await demo.page.$eval('#rate', (input) => input.getAttribute('aria-invalid'))).toBe('true');
  expect(await demo.page.evaluate(() => document.activeElement?.id)).toBe('rate');
  expect(await demo.page.evaluate(() => document.body.dataset.state)).toBe('ready');
});

test('training that runs away stops with the reason, which a headless run reports', async () => {
  const events: Record<string, unknown>[] = [];
  await using demo = await openDemo(browser, {
    query: `${SMALL}&rate=10&momentum=0.9&activation=linear&epochs=20&headless=1`,
    before: (page) =>
      page.exposeFunction('reportTraining', (event: Record<string, unknown>) => void events.push(event)),
  });
  await demo.state('failed');
  await demo.page.waitForFunction(() => !document.querySelector<HTMLElement>('#notice')?.hidden);
  expect(await demo.text('#notice')).toMatch(/not finite .*learning rate/);
  expect(events.at(-1)).toMatchObject({ type: 'error', code: 'not-finite' });
});

describe('the plan of a step', () => {
  const cells = ({ page }: Demo): Promise<string[][]> =>
    page.$$eval('#plan tbody tr', (rows) =>
      rows.map(({ children }) => [...children].map((cell) => cell.firstChild?.textContent ?? '')),
    );
  const hash = ({ page }: Demo): Promise<string> =>
    page.$eval('#status', (status) => (status as HTMLElement).title.slice(-64));

  test('is measured from the keyboard while training runs, which then goes on to the same weights', async () => {
    await using demo = await openDemo(browser, { query: `${SMALL}&epochs=15&seed=7&autostart` });
    await demo.state('running');
    await waitForStep(demo, 1);
    await demo.page.focus('#plan-measure');
    await demo.page.keyboard.press('Enter');
    await demo.state('measuring');
    const disabled = (selector: string): Promise<boolean> =>
      demo.page.$eval(selector, (button) => (button as HTMLButtonElement).disabled);
    expect(await disabled('#start')).toBe(true);
    await demo.page.waitForSelector('#plan tbody tr');
    await demo.state('running');
    expect(await demo.page.evaluate(() => document.activeElement?.id)).toBe('plan-measure');
    expect(await disabled('#start')).toBe(false);

    const rows = await cells(demo);
    // The last layer and its dX are in the head where the adapter can run one, and updates in the products.
    const products = rows.flatMap(
      ([name = '']) => /^(?:(?:matmul|weight-update) \w+|dense-head) [\d×]+/.exec(name) ?? [],
    );
    expect(products).toEqual([
      'matmul NN 128×32×784',
      'dense-head 128×10×32',
      'weight-update TN 33×10×128',
      'weight-update TN 785×32×128',
    ]);
    expect(rows.length).toBe(products.length);
    const times = rows.map(([, time = '']) => Number.parseFloat(time));
    expect(Math.min(...times)).toBeGreaterThan(0);
    const words = await demo.text('#plan-summary');
    const [, count, total = ''] = /^A step is (\d+) dispatches and takes ([\d.,]+) ms/.exec(words) ?? [];
    expect(count).toBe(`${rows.length}`);
    const sum = times.reduce((all, time) => all + time);
    // The total has three digits, each time three decimals.
    expect(Math.abs(sum - Number(total.replaceAll(',', '')))).toBeLessThan(0.006 * sum + 0.004);
    const shares = await demo.page.$$eval('#plan .bar-fill', (bars) =>
      bars.map((bar) => new DOMMatrix(getComputedStyle(bar).transform).a),
    );
    expect(shares.reduce((all, share) => all + share)).toBeCloseTo(1, 4);

    await demo.state('done');
    expect(await demo.text('#figure-step')).toBe('16 of 16');
    const disturbed = await hash(demo);
    expect(disturbed).toMatch(/^[0-9a-f]{64}$/);
    await demo.click('#reset');
    await demo.state('ready');
    await demo.click('#start');
    await demo.state('done');
    expect(await hash(demo)).toBe(disturbed);
    expect(demo.problems).toEqual([]);
  });

  test('is measured before training too, and goes when another network comes', async () => {
    await using demo = await openDemo(browser, { query: `${SMALL}&epochs=1` });
    await demo.state('ready');
    await demo.click('#plan-measure');
    await demo.state('measuring');
    await demo.state('ready');
    const before = (await cells(demo)).length;
    expect(before).toBeGreaterThan(0);
    await demo.page.$eval('#layers', (input) => Object.assign(input, { value: '16,16' }));
    await demo.click('#start');
    await demo.state('done');
    expect(await cells(demo)).toEqual([]);
    expect(await demo.text('#plan-summary')).toMatch(/^Which kernels/);
    await demo.click('#plan-measure');
    await demo.state('measuring');
    await demo.state('done');
    // A product forward and two backward more.
    expect((await cells(demo)).length).toBe(before + 3);
    expect(await demo.text('#status')).toMatch(/^Trained in/);
    expect(demo.problems).toEqual([]);
  });

  test('is shown without times where the GPU has no timestamps', async () => {
    const withoutTimestamps = (): void => {
      const { requestDevice } = GPUAdapter.prototype;
      GPUAdapter.prototype.requestDevice = function (descriptor = {}) {
        const requiredFeatures = [...(descriptor.requiredFeatures ?? [])].filter((name) => name !== 'timestamp-query');
        return requestDevice.call(this, { ...descriptor, requiredFeatures });
      };
    };
    const before = (page: Demo['page']): Promise<unknown> => page.evaluateOnNewDocument(withoutTimestamps);
    await using demo = await openDemo(browser, { query: SMALL, before });
    await demo.state('ready');
    await demo.click('#plan-measure');
    await demo.page.waitForSelector('#plan tbody tr', { timeout: patient(20_000) });
    const rows = await cells(demo);
    expect(await demo.text('#plan-summary')).toBe(
      `A step is ${rows.length} dispatches. This GPU tells no times: it has no timestamp-query.`,
    );
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([1]));
    expect(await demo.violations()).toEqual([]);
  });
});

describe('a digit on the pad', () => {
  let demo: Demo;
  beforeAll(async () => {
    demo = await openDemo(browser, { query: `${SMALL}&epochs=1` });
    await demo.state('ready');
    await demo.page.$eval('#pad', (pad) => pad.scrollIntoView({ block: 'center' }));
  });
  beforeEach(async () => {
    await demo.click('#pad-clear');
    await barsBecome(demo, 0);
  });
  afterAll(() => demo?.page.close());
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);

  test('drawn with the mouse gives ten bars that sum to 1, and Clear takes them away', async () => {
    const box = await (await demo.page.$('#pad'))?.boundingBox();
    if (!box) throw new Error('The pad has no place on the page.');
    await demo.page.mouse.move(box.x + 0.3 * box.width, box.y + 0.3 * box.height);
    await demo.page.mouse.down();
    await demo.page.mouse.move(box.x + 0.7 * box.width, box.y + 0.3 * box.height, { steps: 5 });
    await demo.page.mouse.move(box.x + 0.5 * box.width, box.y + 0.8 * box.height, { steps: 5 });
    await demo.page.mouse.up();
    expect(sum(await barsBecome(demo, 10))).toBeCloseTo(1, 4);
    expect(await demo.text('#pad-verdict')).toMatch(/^Read as \d\.$/);
    await demo.click('#pad-clear');
    await barsBecome(demo, 0);
    expect(demo.problems).toEqual([]);
  });

  test('drawn with a finger', async () => {
    const box = await (await demo.page.$('#pad'))?.boundingBox();
    if (!box) throw new Error('The pad has no place on the page.');
    const { touchscreen } = demo.page;
    await touchscreen.touchStart(box.x + 0.5 * box.width, box.y + 0.2 * box.height);
    for (let i = 1; i <= 6; i++)
      await touchscreen.touchMove(box.x + 0.5 * box.width, box.y + (0.2 + 0.1 * i) * box.height);
    await touchscreen.touchEnd();
    expect(sum(await barsBecome(demo, 10))).toBeCloseTo(1, 4);
  });

  test('drawn with the keyboard: arrows move, Space paints, Shift draws, Delete clears', async () => {
    const { keyboard } = demo.page;
    await demo.page.focus('#pad');
    await keyboard.press('ArrowUp');
    expect(await demo.page.$eval('.pad-cursor', (cursor) => getComputedStyle(cursor).display)).toBe('block');
    await barsBecome(demo, 0);
    await keyboard.press('Space');
    const dot = await barsBecome(demo, 10);
    await keyboard.down('Shift');
    for (let i = 0; i < 8; i++) await keyboard.press('ArrowDown');
    await keyboard.up('Shift');
    await demo.page.waitForFunction(
      (before) => document.querySelector<HTMLElement>('#bars li')?.dataset.probability !== before,
      {},
      String(dot[0]),
    );
    expect(sum(await barsBecome(demo, 10))).toBeCloseTo(1, 4);
    await keyboard.press('Delete');
    await barsBecome(demo, 0);
  });

  test('picked from the test digits says what it is', async () => {
    await demo.page.focus('#pad-pick');
    await demo.page.keyboard.press('Enter');
    await barsBecome(demo, 10);
    expect(await demo.text('#pad-verdict')).toMatch(/^Read as \d; it is \d\.$/);
  });
});

test('a headless run reports what the command line shows', async () => {
  const events: Record<string, unknown>[] = [];
  await using demo = await openDemo(browser, {
    query: '?headless=1&limit=2000&layers=32&epochs=1&seed=3&batch=64&rate=0.1&momentum=0.9',
    before: (page) =>
      page.exposeFunction('reportTraining', (event: Record<string, unknown>) => void events.push(event)),
  });
  await demo.state('done');
  expect([...new Set(events.map(({ type }) => type))]).toEqual(['adapter', 'model', 'progress', 'epoch', 'done']);
  const of = (type: string): Record<string, unknown> | undefined =>
    events.filter((event) => event.type === type).at(-1);
  expect(of('model')).toMatchObject({ sizes: [784, 32, 10], parameterCount: 784 * 32 + 32 + 330 });
  expect(of('progress')).toMatchObject({ epoch: 1, epochs: 1, step: 32, steps: 32 });
  expect(of('progress')?.samplesPerSecond).toBeTypeOf('number');
  expect(of('epoch')).toMatchObject({ epoch: 1, validation: { accuracy: of('done')?.testAccuracy } });
  expect(of('done')?.weightsHash).toMatch(/^[0-9a-f]{64}$/);
});

test('a crash of the GPU process stops training with a notice, and Start again trains on', async () => {
  await using demo = await openDemo(browser, { query: `${SMALL}&epochs=100&autostart` });
  await demo.state('running');
  await waitForStep(demo, 1);
  const session = await browser.target().createCDPSession();
  const crashed = performance.now();
  await session.send('Browser.crashGpuProcess');
  await demo.state('failed');
  console.log(`The page says so ${Math.round(performance.now() - crashed)} ms after the crash.`);
  expect(await demo.text('#notice-title')).toBe('The GPU went away');
  expect(await demo.violations()).toEqual([]);
  await demo.click('#notice-action');
  await demo.state('running');
  await waitForStep(demo, 1);
  expect(await demo.page.$eval('#notice', (notice) => (notice as HTMLElement).hidden)).toBe(true);
});

test('the page stays responsive while it trains', async () => {
  await using demo = await openDemo(browser, {
    query: '?limit=6000&epochs=1',
    before: (page) =>
      page.evaluateOnNewDocument(() => {
        const tasks: number[] = [];
        Object.assign(globalThis, { tasks });
        new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
          type: 'longtask',
        });
      }),
  });
  await demo.state('ready');
  await demo.page.evaluate(() => Object.assign((globalThis as unknown as { tasks: number[] }).tasks, { length: 0 }));
  await demo.click('#start');
  await demo.state('done');
  const tasks = await demo.page.evaluate(() => (globalThis as unknown as { tasks: number[] }).tasks);
  const longest = Math.max(0, ...tasks);
  console.log(
    `Main-thread tasks over 50 ms while training: ${tasks.length}; the longest took ${longest || 'under 50'} ms.`,
  );
  // The aim is none over 50; a machine that runs other things too stretches the odd one.
  expect(longest).toBeLessThan(patient(200));
});

test('the scripts that the page loads at first weigh at most 45 kB, compressed', () => {
  const folder = join(import.meta.dirname, '../../demo/dist');
  // What the page names, and what that imports before it runs; a chunk that is loaded on demand is neither.
  const named = [...readFileSync(join(folder, 'index.html'), 'utf8').matchAll(/assets\/([^"]+\.js)/g)];
  const loaded = new Set(named.map(([, file = '']) => file));
  let bytes = 0;
  for (const file of loaded) {
    const script = readFileSync(join(folder, 'assets', file), 'utf8');
    for (const [, imported = ''] of script.matchAll(/(?:\bfrom|\bimport)\s*["'`]\.\/([^"'`]+\.js)/g))
      loaded.add(imported);
    bytes += gzipSync(script, { level: 9 }).byteLength;
  }
  console.log(`Script of the demo: ${bytes} bytes compressed, in ${loaded.size} files.`);
  expect(loaded.size).toBeGreaterThan(0);
  expect(bytes).toBeGreaterThan(20_000);
  expect(bytes).toBeLessThanOrEqual(45_000);
});
