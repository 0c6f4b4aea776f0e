import type { WebGpuUnavailableError } from 'webgpu-mlp';
import { Curves } from './curves.ts';
import { byId, create } from './element.ts';
import { RECORDED_RUN } from './recorded-run.ts';

interface Advice {
  readonly title: string;
  readonly cause: string;
  /** Steps to take. Text between backticks is to be typed. */
  readonly steps: readonly string[];
}

const PORT = location.port || '80';

/** Advice for each reason for which WebGPU may be unavailable. */
const ADVICE: Readonly<Record<WebGpuUnavailableError['reason'], Advice>> = {
  'insecure-context': {
    title: 'This page needs a secure address',
    cause: `Browsers give a page the GPU only over https or from localhost. This one came from ${location.origin}.`,
    steps: [
      'Open the same page over https.',
      'On the machine that serves it, open it as http://localhost.',
      `From another machine, forward the port with \`ssh -L ${PORT}:localhost:${PORT} ${location.hostname}\` and open http://localhost:${PORT}.`,
    ],
  },
  'no-webgpu': {
    title: 'This browser has no WebGPU',
    cause: 'The network trains on your GPU, which a page reaches through WebGPU. This browser does not offer it.',
    steps: [
      'Update the browser, or open this page in Chrome or Edge 113 or later (Android 121, Linux 144).',
      'On a Mac, iPhone or iPad, use Safari 26 or later.',
      'In Firefox, use 141 or later on Windows, 145 or later on macOS.',
    ],
  },
  'no-adapter': {
    title: 'No GPU answered',
    cause: 'This browser has WebGPU, but found no graphics adapter that it may use.',
    steps: [
      'Reload this page. After a crash of the GPU process, restart the browser.',
      'Switch on hardware acceleration in the browser’s settings, and update the graphics driver.',
      'On Linux, start Chrome with `--enable-unsafe-webgpu` and `--enable-features=Vulkan`.',
    ],
  },
  'device-refused': {
    title: 'The GPU refused to work for this page',
    cause: 'An adapter was found, but it did not give this page a device.',
    steps: [
      'Close other tabs and programs that use the GPU, then reload this page.',
      'Update the graphics driver, and restart the browser.',
    ],
  },
};

/** Replaces the page's content with the reason, the advice, and the curves of a recorded run. */
export function showUnavailable(error: WebGpuUnavailableError): void {
  const { title, cause, steps } = ADVICE[error.reason];
  const again = create('button', { type: 'button', className: 'primary' }, 'Try again');
  again.addEventListener('click', () => location.reload());
  const advice = create(
    'section',
    { className: 'sheet unavailable' },
    create('h2', {}, title),
    create('p', {}, cause),
    create('h3', {}, 'What to do'),
    create('ol', {}, ...steps.map((step) => create('li', {}, ...withCode(step)))),
    again,
    create(
      'details',
      {},
      create('summary', {}, 'What the library said'),
      create('p', { className: 'entry' }, error.message),
    ),
  );
  const [loss, accuracy] = [create('figure', { className: 'chart' }), create('figure', { className: 'chart' })];
  const recorded = create(
    'section',
    { className: 'sheet recorded' },
    create('h2', {}, 'What you would see'),
    create('p', { className: 'hint' }, RECORDED_RUN.words),
    loss,
    accuracy,
  );
  const main = byId('main', HTMLElement);
  main.replaceChildren(advice, recorded);
  main.classList.add('without-gpu');
  byId('adapter-name', HTMLParagraphElement).textContent = 'None';
  // Created after their parents are in the page, because the charts measure their space.
  new Curves(loss, accuracy, 'h3').set(RECORDED_RUN.points);
}

function withCode(words: string): (Node | string)[] {
  return words.split('`').map((part, i) => (i % 2 === 0 ? part : create('code', {}, part)));
}
