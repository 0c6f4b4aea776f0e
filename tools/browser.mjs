// @ts-check
// Finds Chrome, or installs it, and provides the options to start it. Built-in modules only.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execute } from './install.mjs';

const VARIABLES = ['PUPPETEER_EXECUTABLE_PATH', 'CHROME_PATH'];
const COMMANDS = [
  'google-chrome-stable',
  'google-chrome',
  'chromium',
  'chromium-browser',
  'microsoft-edge-stable',
  'microsoft-edge',
];
const NO_BROWSER =
  'No Chrome, Chromium or Edge was found, and none could be installed: install one ' +
  '(`npx puppeteer browsers install chrome`, or on Debian `apt-get install chromium`), ' +
  'or put its path into the environment variable CHROME_PATH.';

/**
 * Usual paths of browsers on this system, the most likely first.
 * @returns {string[]}
 */
function systemPlaces() {
  const { env, platform } = process;
  if (platform === 'darwin') {
    return ['/Applications', join(homedir(), 'Applications')].flatMap((folder) =>
      ['Google Chrome', 'Chromium', 'Microsoft Edge'].map((name) => join(folder, `${name}.app/Contents/MacOS/${name}`)),
    );
  }
  if (platform === 'win32') {
    const folders = [env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA].filter(
      (folder) => folder !== undefined,
    );
    return ['Google\\Chrome', 'Chromium', 'Microsoft\\Edge'].flatMap((name) =>
      folders.map((folder) => join(folder, name, 'Application', name.endsWith('Edge') ? 'msedge.exe' : 'chrome.exe')),
    );
  }
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/bin', '/snap/bin'].filter((folder) => folder !== '');
  return [
    ...COMMANDS.flatMap((command) => folders.map((folder) => join(folder, command))),
    '/opt/google/chrome/chrome',
    '/opt/microsoft/msedge/msedge',
  ];
}

/**
 * Paths of the Chrome versions that puppeteer has downloaded, the newest first.
 * @returns {string[]}
 */
function downloadedPlaces() {
  const cache = process.env.PUPPETEER_CACHE_DIR ?? join(homedir(), '.cache', 'puppeteer');
  const folder = join(cache, 'chrome');
  if (!existsSync(folder)) return [];
  const versions = readdirSync(folder).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const mac = 'Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing';
  const programs = ['chrome-linux64/chrome', 'chrome-win64/chrome.exe', 'chrome-win32/chrome.exe'];
  programs.push(`chrome-mac-arm64/${mac}`, `chrome-mac-x64/${mac}`);
  return versions.flatMap((version) => programs.map((program) => join(folder, version, program)));
}

/**
 * The first of these paths that exists and runs: a launcher script may exist without its browser.
 * @param {readonly string[]} places
 * @returns {string | undefined}
 */
function firstWorking(places) {
  return [...new Set(places)].find((place) => {
    if (!existsSync(place)) return false;
    if (process.platform === 'win32') return true; // --version would open a window on Windows
    return spawnSync(place, ['--version'], { stdio: 'ignore', timeout: 20_000 }).status === 0;
  });
}

/** @returns {string | undefined} */
function namedByVariable() {
  for (const variable of VARIABLES) {
    const path = process.env[variable];
    if (!path) continue;
    if (!existsSync(path)) throw new Error(`${variable} is "${path}", which does not exist. Correct or unset it.`);
    return path;
  }
  return undefined;
}

/** @returns {string | undefined} */
function downloadWithPuppeteer() {
  console.error('No Chrome found. Asking puppeteer to download one.');
  execute('npx', ['--no-install', 'puppeteer', 'browsers', 'install', 'chrome'], { timeout: 600_000, output: 2 });
  return firstWorking(downloadedPlaces());
}

/** @returns {string | undefined} */
function installWithApt() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined;
  console.error('No Chrome found. Installing Chromium with apt-get.');
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  execute('apt-get', ['update', '-qq'], { env, timeout: 300_000, output: 2 });
  execute('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], {
    env,
    timeout: 600_000,
    output: 2,
  });
  return firstWorking(systemPlaces());
}

/**
 * The path of Chrome, Chromium or Edge: the one in PUPPETEER_EXECUTABLE_PATH or CHROME_PATH, else the system's, else one that
 * puppeteer downloaded earlier, else, with `install`, a newly installed one, which requires node_modules.
 * @param {{ install?: boolean }} [options]
 * @returns {Promise<string>}
 * @throws {Error} one sentence that tells the user what to install
 */
export async function findBrowser({ install = false } = {}) {
  const found = namedByVariable() ?? firstWorking([...systemPlaces(), ...downloadedPlaces()]);
  const path = found ?? (install ? (downloadWithPuppeteer() ?? installWithApt()) : undefined);
  if (path === undefined) throw new Error(NO_BROWSER);
  return path;
}

/**
 * Options for `puppeteer.launch` with which `navigator.gpu` has an adapter. WEBGPU_MLP_VULKAN=1 selects the Vulkan driver of a
 * Linux machine with a GPU instead of the browser's default.
 * @param {string} executablePath
 * @returns {{ executablePath: string, headless: true, args: string[], protocolTimeout: number }}
 */
export function launchOptions(executablePath) {
  const args = [
    '--enable-unsafe-webgpu', // on Linux it also enables the software adapter
    '--enable-unsafe-swiftshader', // WebGL without a GPU, for a peer in the bench
    '--disable-gpu-process-crash-limit', // tests crash the GPU process on purpose
    '--disable-domain-blocking-for-3d-apis', // otherwise Chrome blocks WebGPU after such a crash
    '--disable-background-timer-throttling',
    '--disable-renderer-backgrounding',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-quic',
    '--no-first-run',
  ];
  if (process.getuid?.() === 0) args.push('--no-sandbox'); // Chrome does not start as root without this option
  if (process.platform === 'linux' && process.env.WEBGPU_MLP_VULKAN === '1') {
    args.push('--enable-features=Vulkan', '--use-angle=vulkan', '--disable-vulkan-surface');
  }
  return { executablePath, headless: true, args, protocolTimeout: 600_000 };
}

/**
 * Properties of the adapter that a page gets in this browser, or null.
 * @param {string} executablePath
 * @returns {Promise<{ vendor: string, architecture: string, description: string, software: boolean } | null>}
 */
export async function probeAdapter(executablePath) {
  const { default: puppeteer } = await import('puppeteer');
  // WebGPU needs a secure context, which about:blank is not and a page on localhost is.
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>probe</title>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const browser = await puppeteer.launch(launchOptions(executablePath));
  try {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The probe page has no port.');
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${address.port}/`);
    return await page.evaluate(async () => {
      const adapter = await navigator.gpu?.requestAdapter();
      if (!adapter) return null;
      const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
      return { vendor, architecture, description, software: isFallbackAdapter };
    });
  } finally {
    await browser.close();
    server.close();
  }
}
