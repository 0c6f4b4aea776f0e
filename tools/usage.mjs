// @ts-check
// What the commands have in common in being told what to do, and in saying what was wrong with it. Built-in modules only.
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Interruption } from './interrupt.mjs';

/** A mistake of the caller's, told in whole sentences. */
export class UsageError extends Error {}

/**
 * What `parseArgs` makes of arguments.
 * @template Parsed
 * @param {string} command as it is called: `npm start`
 * @param {() => Parsed} parse
 * @returns {Parsed}
 * @throws {UsageError} an option is unknown, or has no value or one too many
 */
export function parsed(command, parse) {
  try {
    return parse();
  } catch (error) {
    // npm keeps an option that stands before `--` for itself, and hands over its value alone.
    const [sentence] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new UsageError(
      `${sentence?.replace(/\.?$/, '.')} Options come after \`--\`; \`${command} -- --help\` lists them.`,
    );
  }
}

/**
 * Found out before minutes of training, or hours of measuring.
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
 * Says why a command has failed, and ends it with 2 for a mistake of the caller's, 130 for Ctrl-C, else 1.
 * @param {unknown} error
 */
export function failWith(error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : error instanceof Interruption ? 130 : 1;
}
