// @ts-check
// Runs before the dependencies are installed, so it uses built-in modules only.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs a command in the repository, with its output visible to the user.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, timeout?: number, quiet?: boolean, output?: 'inherit' | 2 }} [options]
 * @returns {number} the exit status; 127 if it could not be started
 */
export function execute(command, args, { env, timeout, quiet = false, output = 'inherit' } = {}) {
  // On Windows npm and npx are batch files, which need a shell.
  const shell = process.platform === 'win32' && /^np[mx]$/.test(command);
  const { status } = spawnSync(command, args, {
    cwd: root,
    // Standard output is for results; the output of an installation goes to standard error (2).
    stdio: quiet ? 'ignore' : ['inherit', output, 'inherit'],
    shell,
    timeout,
    env: { ...process.env, ...env },
  });
  return status ?? 127;
}

/**
 * Finds a dependency that package-lock.json requires and node_modules lacks.
 * @returns {string | undefined} the first difference, in words
 */
function missingDependency() {
  const installed = new URL('../node_modules/.package-lock.json', import.meta.url);
  if (!existsSync(installed)) return 'node_modules is not there';
  const wanted = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));
  const present = JSON.parse(readFileSync(installed, 'utf8'));
  for (const [path, entry] of Object.entries(wanted.packages)) {
    // Optional packages may be for other platforms.
    if (path === '' || entry.optional || entry.devOptional || entry.link) continue;
    const version = present.packages[path]?.version;
    if (version === undefined) return `${path} is not there`;
    if (version !== entry.version) return `${path} is ${version}, not ${entry.version}`;
  }
  return undefined;
}

/** Installs the dependencies if one is missing or has another version than in package-lock.json. */
export function ensureDependencies() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Error(
      `Node is ${process.versions.node}, but the tools need 20.19 or newer. Install it from https://nodejs.org.`,
    );
  }
  const difference = missingDependency();
  if (difference === undefined) return;
  console.error(`Installing dependencies with npm ci: ${difference}.`);
  const status = execute('npm', ['ci', '--no-audit', '--no-fund'], { output: 2 });
  if (status !== 0) throw new Error(`npm ci failed with status ${status}; its messages are above.`);
}
