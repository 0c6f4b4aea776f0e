// @ts-check
// Common parts of the commands: parsing options, and reporting errors in them. Built-in modules only.
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Interruption } from './interrupt.mjs';

/** A mistake in the command line. The message is whole sentences. */
export class UsageError extends Error {}

/**
 * Runs `parseArgs`, and converts its errors to `UsageError`.
 * @template Parsed
 * @param {string} command the command as the user typed it: `npm start`
 * @param {() => Parsed} parse
 * @returns {Parsed}
 * @throws {UsageError} an option is unknown, lacks its value, or has a value that it does not take
 */
export function parsed(command, parse) {
  try {
    return parse();
  } catch (error) {
    // npm consumes an option before `--`, and passes only its value on.
    const [sentence] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new UsageError(
      `${sentence?.replace(/\.?$/, '.')} Options come after \`--\`; \`${command} -- --help\` lists them.`,
    );
  }
}

/**
 * Checks that a file can be written, before minutes of training or hours of measuring.
 * @param {string} option
 * @param {string | undefined} path of a file to write
 * @throws {UsageError}
 */
export function checkWritable(option, path) {
  if (path === undefined) return;
  const folder = dirname(resolve(path));
  if (!existsSync(folder))
    throw new UsageError(`--${option} is "${path}", but there is no folder ${folder}. Make it first.`);
  if (existsSync(path) && statSync(path).isDirectory()) {
    throw new UsageError(`--${option} is "${path}", which is a folder. Name a file.`);
  }
}

/**
 * Prints the reason why a command has failed, and ends it with status 2 for a usage error, 130 for Ctrl-C, and 1 otherwise.
 * @param {unknown} error
 */
export function failWith(error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : error instanceof Interruption ? 130 : 1;
}
