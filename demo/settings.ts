/** Settings of a run, read from the form or the page's address, and checked. Independent of the page. */
export interface Settings {
  readonly layers: readonly number[];
  readonly activation: ActivationName;
  readonly rate: number;
  readonly momentum: number;
  readonly batch: number;
  readonly epochs: number;
  readonly seed: number;
}

export const ACTIVATIONS = [
  'relu',
  'leakyRelu',
  'prelu',
  'elu',
  'selu',
  'gelu',
  'swish',
  'softplus',
  'tanh',
  'sigmoid',
  'abs',
  'sine',
  'maxout',
  'linear',
] as const;
export type ActivationName = (typeof ACTIVATIONS)[number];
export type Field = keyof Settings;
export type Fields = Readonly<Record<Field, string>>;

/** The recipe that reaches 97.5 % in three epochs. */
export const DEFAULT_FIELDS: Fields = {
  layers: '400,200',
  activation: 'relu',
  rate: '0.2',
  momentum: '0.5',
  batch: '128',
  epochs: '3',
  seed: '1',
};

export type Checked =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: Readonly<Partial<Record<Field, string>>> };

/** Parses the typed values into settings, or returns a message for each invalid field. */
export function checkSettings(fields: Fields): Checked {
  const problems: Partial<Record<Field, string>> = {};
  const number = (field: Field, words: string, accepts: (value: number) => boolean): number => {
    const text = fields[field].trim();
    const value = text === '' ? Number.NaN : Number(text);
    if (!accepts(value)) problems[field] = words;
    return value;
  };
  const between = (low: number, high: number) => (value: number) =>
    Number.isInteger(value) && value >= low && value <= high;

  const parts = fields.layers.trim() === '' ? [] : fields.layers.split(',').map((part) => part.trim());
  const layers = parts.map(Number);
  if (parts.length > 8) problems.layers = 'Eight hidden layers at most.';
  if (parts.includes('') || !layers.every(between(1, 4096)))
    problems.layers = 'Whole numbers from 1 to 4096, such as 400,200.';
  const activation = ACTIVATIONS.find((name) => name === fields.activation);
  if (activation === undefined) problems.activation = `One of ${ACTIVATIONS.join(', ')}.`;
  const rate = number('rate', 'More than 0, at most 10.', (value) => value > 0 && value <= 10);
  const momentum = number('momentum', 'From 0 to below 1.', (value) => value >= 0 && value < 1);
  const batch = number('batch', 'From 1 to 4096.', between(1, 4096));
  const epochs = number('epochs', 'From 1 to 100.', between(1, 100));
  const seed = number('seed', 'A whole number from 0 to 4294967295.', between(0, 2 ** 32 - 1));

  if (Object.keys(problems).length > 0 || activation === undefined) return { ok: false, problems };
  return { ok: true, settings: { layers, activation, rate, momentum, batch, epochs, seed } };
}

/** Options in the page's address, such as `?autostart&layers=128&epochs=1`. */
export interface PageOptions {
  readonly fields: Fields;
  readonly autostart: boolean;
  /** True to train automatically and report to `globalThis.reportTraining`. */
  readonly headless: boolean;
  /** Largest number of training digits, and of test digits, to use. */
  readonly limit: number;
}

export function readAddress(search: string): PageOptions {
  const query = new URLSearchParams(search);
  const flag = (name: string): boolean => query.has(name) && query.get(name) !== '0' && query.get(name) !== 'false';
  const fields = Object.fromEntries(
    Object.entries(DEFAULT_FIELDS).map(([field, value]) => [field, query.get(field) ?? value]),
  ) as Record<Field, string>;
  const limit = Number(query.get('limit') ?? Number.NaN);
  const headless = flag('headless');
  return {
    fields,
    autostart: headless || flag('autostart'),
    headless,
    limit: limit >= 1 ? Math.floor(limit) : Number.POSITIVE_INFINITY,
  };
}
