// @ts-check
// The options of `npm start`. Built-in modules only.
import { parseArgs } from 'node:util';
import { parsed, UsageError } from '../tools/usage.mjs';

export const HELP = `npm start -- [options]

Installs what is missing, serves the demo and opens it in your browser, until Ctrl-C. Without a display, or with
--headless, trains that same page in headless Chrome instead, shows loss and accuracy here, and ends.

  --headless      train without a window
  --epochs N      how often to go through the training digits (3)
  --layers N,N    units of the hidden layers (400,200)
  --batch N       digits of a step (128)
  --rate X        learning rate of sgd (0.2)
  --momentum X    momentum of sgd (0.5)
  --seed N        decides the initial weights and the order of the digits (1)
  --limit N       use only the first N training samples, and only the first N test samples
  --port N        port of the demo's server (a free one)
  --json          write one JSON object to standard output, and all else to standard error; implies --headless.
                  npm writes there too unless told not to: npm start --silent -- --json
  --help          this text`;

/**
 * @typedef {object} StartOptions
 * @property {boolean} help
 * @property {boolean} headless
 * @property {boolean} json
 * @property {number} port 0 for any free port
 * @property {Readonly<Record<string, string>>} training settings that are passed to the page in its address
 */

/**
 * Rule for a value: `words` ends the sentence "--epochs is "x"; it must be …". The bounds are the same as in
 * demo/settings.ts, which is TypeScript and cannot be loaded before the dependencies are installed; a test compares them.
 * @typedef {{ words: string, accepts: (text: string) => boolean }} Rule
 */

/**
 * @param {number} low
 * @param {number} high
 * @returns {Rule}
 */
const whole = (low, high) => ({
  words: `a whole number from ${low} to ${high}`,
  accepts: (text) => /^\d+$/.test(text) && Number(text) >= low && Number(text) <= high,
});

/**
 * @param {string} words
 * @param {(value: number) => boolean} accepts
 * @returns {Rule}
 */
const real = (words, accepts) => ({
  words,
  accepts: (text) => /^\d*\.?\d+(e[+-]?\d+)?$/i.test(text) && accepts(Number(text)),
});

const units = whole(1, 4096);

/** @satisfies {Record<string, Rule>} */
const TRAINING = {
  epochs: whole(1, 100),
  layers: {
    words: 'one to eight whole numbers from 1 to 4096, separated by commas, such as 128,64',
    accepts: (text) => {
      const parts = text.split(',');
      return parts.length <= 8 && parts.every(units.accepts);
    },
  },
  batch: whole(1, 4096),
  rate: real('a number more than 0, at most 10', (value) => value > 0 && value <= 10),
  momentum: real('a number from 0 to below 1', (value) => value >= 0 && value < 1),
  seed: whole(0, 2 ** 32 - 1),
  limit: whole(1, 60_000),
};
const PORT = whole(0, 65_535);

/**
 * @param {string} name
 * @param {string} text
 * @param {Rule} rule
 */
function check(name, text, { words, accepts }) {
  if (!accepts(text)) throw new UsageError(`--${name} is "${text}"; it must be ${words}.`);
}

/** @param {string[]} args */
function parse(args) {
  const string = /** @type {const} */ ({ type: 'string' });
  const boolean = /** @type {const} */ ({ type: 'boolean' });
  const training = { epochs: string, layers: string, batch: string, rate: string, momentum: string, seed: string };
  const options = { ...training, limit: string, port: string, headless: boolean, json: boolean, help: boolean };
  // Joined, so that a negative number is read as the value of its option and checked like any other.
  const joined = args
    .join('\0')
    .replace(/(?<=--[a-z]+)\0(?=-[\d.])/g, '=')
    .split('\0');
  return parsed('npm start', () => parseArgs({ args: args.length === 0 ? [] : joined, options }).values);
}

/**
 * @param {string[]} args
 * @returns {StartOptions}
 * @throws {UsageError} an option is unknown, or its value is invalid
 */
export function readOptions(args) {
  const values = parse(args);
  /** @type {Record<string, string>} */
  const training = {};
  for (const name of /** @type {(keyof typeof TRAINING)[]} */ (Object.keys(TRAINING))) {
    const text = values[name];
    if (text === undefined) continue;
    check(name, text, TRAINING[name]);
    training[name] = text;
  }
  const { port = '0', headless = false, json = false, help = false } = values;
  check('port', port, PORT);
  return { help, headless: headless || json, json, port: Number(port), training };
}
