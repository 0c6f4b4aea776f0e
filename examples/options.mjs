// @ts-check
// The options of `npm run example`. Built-in modules only.
import { parseArgs } from 'node:util';
import { checkWritable, parsed, UsageError } from '../tools/usage.mjs';

/** All files examples/NAME.ts, in the order to read them. A test compares the list with the folder. */
export const EXAMPLES = /** @type {const} */ ({
  xor: 'exclusive or: solved with tanh, at chance without activations',
  iris: 'three species by four lengths, the mean over ten seeds',
  sine: 'regression: more relu units come closer to a sine',
  'dying-relu': 'units that have died at too large a learning rate; leakyRelu revives them',
  'zero-initialisation': 'hidden units that start alike stay alike',
  'fashion-mnist': 'three normalisations side by side, 5 epochs each',
  'mnist-dropout': '784-800-10 with dropout and a cosine schedule, 15 epochs',
});

const width = Math.max(...Object.keys(EXAMPLES).map((name) => name.length));
const LIST = Object.entries(EXAMPLES)
  .map(([name, text]) => `  ${name.padEnd(width)}  ${text}`)
  .join('\n');

export const HELP = `npm run example -- NAME [options]

Installs what is missing and runs examples/NAME.ts in headless Chrome. Its table goes to standard output, all else to
standard error. The examples:

${LIST}

  --epochs N   how often to go through the samples, in place of the example's own number
  --seed N     other initial values, order and data, in place of the example's own seed or seeds
  --json FILE  writes what the example returned, curves included
  --help       this text`;

/**
 * @typedef {object} ExampleOptions
 * @property {boolean} help also true if no example is named
 * @property {string} name '' with `help`
 * @property {string | undefined} epochs
 * @property {string | undefined} seed
 * @property {string | undefined} json
 */

/** @param {string[]} args */
function parse(args) {
  const string = /** @type {const} */ ({ type: 'string' });
  const boolean = /** @type {const} */ ({ type: 'boolean' });
  const options = { epochs: string, seed: string, json: string, help: boolean };
  return parsed('npm run example', () => parseArgs({ args, allowPositionals: true, options }));
}

/**
 * @param {string[]} args
 * @returns {ExampleOptions}
 * @throws {UsageError} an option or the name is unknown, or a value is invalid
 */
export function readOptions(args) {
  const { values, positionals } = parse(args);
  const { epochs, seed, json, help = false } = values;
  const [name, ...more] = positionals;
  if (help || name === undefined) return { help: true, name: '', epochs, seed, json };
  if (more.length > 0) {
    throw new UsageError(`One example runs at a time, but there are ${positionals.length}: ${positionals.join(', ')}.`);
  }
  if (!Object.hasOwn(EXAMPLES, name)) {
    throw new UsageError(`There is no example "${name}". There are:\n\n${LIST}`);
  }
  if (epochs !== undefined && !(/^\d+$/.test(epochs) && Number(epochs) >= 1 && Number(epochs) <= 10_000)) {
    throw new UsageError(`--epochs is "${epochs}"; it must be a whole number from 1 to 10000.`);
  }
  if (seed !== undefined && !(/^\d+$/.test(seed) && Number.isSafeInteger(Number(seed)))) {
    throw new UsageError(`--seed is "${seed}"; it must be a whole number, 0 or more.`);
  }
  checkWritable('json', json);
  return { help: false, name, epochs, seed, json };
}
