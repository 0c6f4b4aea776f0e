// @ts-check
// npm start: installs what is missing, then trains a network on MNIST in a window or in headless Chrome.
// Built-in modules only until the dependencies are installed.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureDependencies, root } from '../tools/install.mjs';
import { interruptible } from '../tools/interrupt.mjs';
import { serve } from '../tools/serve.mjs';
import { failWith } from '../tools/usage.mjs';
import { HELP, readOptions } from './options.mjs';

function hasDisplay() {
  const { CI, DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (CI && CI !== 'false' && CI !== '0') return false;
  return process.platform !== 'linux' || Boolean(DISPLAY || WAYLAND_DISPLAY);
}

/** @param {string} url */
function openInBrowser(url) {
  // Quoted for cmd, where an unquoted & ends the command.
  const windows = process.platform === 'win32';
  const command = windows ? 'cmd' : process.platform === 'darwin' ? 'open' : 'xdg-open';
  const args = windows ? ['/c', 'start', '""', `"${url}"`] : [url];
  const failed = () => console.log('No browser could be opened: open the address in one yourself.');
  spawn(command, args, { stdio: 'ignore', detached: true, windowsVerbatimArguments: windows })
    .on('error', failed)
    .on('exit', (code) => code && failed())
    .unref();
}

async function main() {
  const { help, json, port, training, ...options } = readOptions(process.argv.slice(2));
  if (help) {
    console.log(HELP);
    return;
  }
  ensureDependencies();
  const headless = options.headless || !hasDisplay();
  const signal = interruptible();
  const { url, close } = await serve(join(root, 'demo/vite.config.ts'), { port, live: !headless });
  const query = new URLSearchParams({ ...(headless ? { headless: '1' } : {}), ...training });
  const address = new URL(query.size > 0 ? `?${query}`.replaceAll('%2C', ',') : '', url).href;
  try {
    if (headless) {
      const { percent, trainHeadless } = await import('./train-headless.mjs');
      const result = await trainHeadless(address, { print: json ? console.error : console.log, signal });
      const { testAccuracy, seconds } = result;
      if (json) console.log(JSON.stringify(result));
      else console.log(`Test accuracy ${percent(testAccuracy)} after ${seconds.toFixed(1)} s of training`);
    } else {
      console.log(`The demo is at ${address} until you press Ctrl-C.`);
      openInBrowser(address);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    }
  } finally {
    await close();
  }
}

try {
  await main();
} catch (error) {
  failWith(error);
}
