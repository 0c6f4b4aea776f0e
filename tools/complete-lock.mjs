// @ts-check
// node tools/complete-lock.mjs, to run after each npm install that changes package-lock.json: adds the entries of optional
// packages for other platforms. npm omits them if its registry or mirror lacks these packages, and npm ci then rejects the
// whole file.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** @typedef {{ version?: string, dev?: boolean, engines?: object, license?: string, optionalDependencies?: Record<string, string> }} Entry */

const file = new URL('../package-lock.json', import.meta.url);
const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/**
 * The platform in the name of a package, such as `@scope/binding-linux-arm64-musl`.
 * @param {string} name
 */
function platform(name) {
  const words = name.split(/[-/]/);
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = PROCESSORS.filter((processor) => words.includes(processor));
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : [];
  return { os, cpu, libc: os.includes('linux') ? libc : [] };
}

/**
 * The optional packages that an entry requires in an exact version and that have no entry.
 * @param {Record<string, Entry>} packages
 * @returns {[string, object][]}
 */
export function missingEntries(packages) {
  return Object.values(packages).flatMap(({ optionalDependencies = {}, dev, engines, license }) =>
    Object.entries(optionalDependencies)
      .filter(([name, version]) => /^\d/.test(version) && packages[`node_modules/${name}`] === undefined)
      .map(([name, version]) => {
        const { os, cpu, libc } = platform(name);
        const entry = { version, cpu, dev, libc, license, optional: true, os, engines };
        const stated = Object.entries(entry).filter(
          ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
        );
        return /** @type {[string, object]} */ ([`node_modules/${name}`, Object.fromEntries(stated)]);
      }),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  const missing = missingEntries(lock.packages);
  const entries = [...Object.entries(lock.packages), ...missing].sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = Object.fromEntries(entries);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${missing.length} entries added.`);
}
