import { assigned } from './check.js';
import { MlpError } from './errors.js';

/** Names of the members of an interface; of a union, those of each of its parts. */
type NameOf<Options> = Options extends unknown ? keyof Options & string : never;

/**
 * The names of all options of a function. tsc compares such a table with the interface of the options in both
 * directions: a name that only one of them has is an error.
 */
export type OptionNames<Options> = Readonly<Record<NameOf<Options>, 1>>;

/** Options in which nothing is left out. */
export type Complete<Options> = { readonly [Name in keyof Options]-?: Exclude<Options[Name], undefined> };

/** Other libraries' words for options, in small letters, and the words of this library. */
const SYNONYMS: Readonly<Record<string, string>> = {
  lr: 'learningRate',
  rho: 'decay',
  alpha: 'decay',
  eps: 'epsilon',
  betas: 'beta1',
  gamma: 'factor',
  tmax: 'epochs',
  stepsize: 'every',
  etamin: 'minimum',
  minlr: 'minimum',
  callbacks: 'onEpoch',
  onbatchend: 'onStep',
  criterion: 'loss',
  xs: 'inputs',
  data: 'inputs',
  ys: 'targets',
  labels: 'classes',
  randomstate: 'seed',
  sep: 'delimiter',
};

/** Functions that have an option which is often passed to another one. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  learningRate: 'the optimizer',
  loss: 'model.trainer',
  metrics: 'model.trainer',
  optimizer: 'model.trainer',
  batchSize: 'model.trainer',
  epochs: 'trainer.fit',
  activation: 'a dense layer',
  classNames: 'Dataset.create',
};

/** Letters that two names may differ in, as a share of the longer name, for one to be a misspelling of the other. */
const MISSPELT = 0.4;

/**
 * Checks that options are an object without unknown names. A name whose value is undefined counts as left out.
 * @param where name of the function, for messages
 * @param options the options as the app passed them; undefined stands for none
 * @returns the options
 * @throws {MlpError} with the given code; the message suggests the known name that is nearest
 */
export function checkOptions<Options extends object>(
  where: string,
  options: Options | undefined,
  names: OptionNames<NoInfer<Options>>,
  code = 'bad-option',
): Options {
  const known = Object.keys(names);
  const given: unknown = options === undefined ? {} : options;
  // A list, a typed array and a promise are objects too, but nobody keeps options in one.
  const isOptions = typeof given === 'object' && given !== null && !Array.isArray(given) && !ArrayBuffer.isView(given);
  if (!isOptions || given instanceof Promise) {
    throw new MlpError(code, `${assigned(`${where}:`, 'options', given)}; options must be { ${known.join(', ')} }.`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || Object.hasOwn(names, name)) continue;
    const all = known.length === 0 ? 'It has none' : `Known: ${known.join(', ')}`;
    throw new MlpError(code, `${where} has no option "${name}".${advice(name, known)} ${all}.`);
  }
  return given as Options;
}

/** Sentence about the option that an app may have meant. Empty if none is near. */
function advice(name: string, known: readonly string[]): string {
  const meant = nearest(plain(name), known);
  if (meant !== undefined) return ` Did you mean ${meant}?`;
  const owner = Object.keys(ELSEWHERE).find((option) => plain(option) === plain(name));
  return owner === undefined ? '' : ` ${owner} is an option of ${ELSEWHERE[owner]}.`;
}

/** A name without case and separators, so that `weight_decay` equals `weightDecay`. */
const plain = (name: string): string => name.replace(/[-_ ]/g, '').toLowerCase();

/** The known name that is a synonym of a plain name, contains it or is in it, or else differs in few letters. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const synonym = Object.hasOwn(SYNONYMS, name) ? SYNONYMS[name] : undefined;
  const distances = known.map((option) => {
    const other = plain(option);
    const isPart = Math.min(name.length, other.length) > 3 && (name.includes(other) || other.includes(name));
    const share = editDistance(name, other) / Math.max(name.length, other.length);
    return { option, share: option === synonym ? -1 : isPart ? share - 1 : share };
  });
  const [best] = distances.sort((a, b) => a.share - b.share);
  return best !== undefined && best.share <= MISSPELT ? best.option : undefined;
}

/** Number of letters to insert, delete or replace to turn one text into the other (Levenshtein 1966). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...to].entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
