// Shortens WGSL for bundles without changing its meaning; readable versions are in this folder and in dist/shaders/*.wgsl.
// Short names save, after gzip, 1.1 of the 44.2 kB that a training loads, 0.3 of the 20.3 kB of the quick
// start and 0.7 of the 11.6 kB for one kernel; all shaders are 16.9 kB with them and 19.0 without.
import { stripComments } from './reflect.ts';

/** A token: a name, a number, or one operator or punctuation mark. */
interface Token {
  readonly text: string;
  readonly kind: 'name' | 'number' | 'mark';
}

const TOKEN =
  /(?<name>[\p{L}_][\p{L}\p{N}_]*)|(?<number>0[xX][\da-fA-F]+[iu]?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[iufh]?)|<<=|>>=|->|<<|>>|[-+*/%&|^<>=!]=|\+\+|--|&&|\|\||\S/gu;

/** The tokens of a text without comments. */
function tokens(code: string): Token[] {
  return [...code.matchAll(TOKEN)].map(({ 0: text, groups = {} }) => ({
    text,
    kind: groups.name !== undefined ? 'name' : groups.number !== undefined ? 'number' : 'mark',
  }));
}

/** Scope in which a name may be renamed: in all modules, in its function, after a `.`, or nowhere. */
type Scope = 'global' | 'local' | 'field' | 'fixed';

/** A declaration of a module: a function, a struct, a variable, an override. */
interface Declaration {
  readonly tokens: readonly Token[];
  /** Scope of each token. */
  readonly scopes: readonly Scope[];
  /** The global name that it declares. */
  readonly declares: string;
  readonly isOverride: boolean;
}

function declarations(code: string): Declaration[] {
  const found: Declaration[] = [];
  let one: Token[] = [];
  let depth = 0;
  for (const token of tokens(stripComments(code))) {
    one.push(token);
    if (token.text === '(' || token.text === '{') depth++;
    if (token.text === ')' || token.text === '}') depth--;
    if (depth > 0 || (token.text !== ';' && token.text !== '}')) continue;
    found.push(declaration(one));
    one = [];
  }
  return found;
}

const DECLARATOR = /^(?:fn|struct|alias|const|var|let|override)$/;
const SWIZZLE = /^(?:[xyzw]{1,4}|[rgba]{1,4})$/;

function declaration(all: readonly Token[]): Declaration {
  const text = (i: number): string => all[i]?.text ?? '';
  const first = all.findIndex((token) => DECLARATOR.test(token.text));
  const keyword = text(first);
  // var<storage, read_write> name
  const nameAt = (i: number): number =>
    (text(i + 1) === '<' ? all.findIndex((token, j) => j > i && token.text === '>') : i) + 1;
  const locals = new Set<string>();
  const fields = new Set<string>();
  for (const [i, token] of all.entries()) {
    if (i > first && DECLARATOR.test(token.text)) locals.add(text(nameAt(i)));
    if (text(i + 1) === ':' && /^[(,{)]$/.test(text(i - 1)) && i > first)
      (keyword === 'struct' ? fields : locals).add(token.text);
  }
  const scopes = all.map(({ text: name, kind }, i): Scope => {
    const isAttribute = text(i - 1) === '@' || (text(i - 1) === '(' && text(i - 2) === 'builtin');
    // An `enable` declares nothing.
    if (first < 0 || kind !== 'name' || isAttribute) return 'fixed';
    if (text(i - 1) === '.') return SWIZZLE.test(name) ? 'fixed' : 'field';
    if (fields.has(name) && text(i + 1) === ':') return 'field';
    return locals.has(name) ? 'local' : 'global';
  });
  return { tokens: all, scopes, declares: first < 0 ? '' : text(nameAt(first)), isOverride: keyword === 'override' };
}

/** Short names that modules and their snippets share. */
export interface ShortNames {
  readonly globals: ReadonlyMap<string, string>;
  readonly fields: ReadonlyMap<string, string>;
  /** Names that are not shortened: those of the language, the entry points, and the overrides, which pipelines refer to. */
  readonly kept: ReadonlySet<string>;
}

/**
 * Chooses short names for the declarations of modules, the shortest for the most frequent. They are the same in all modules, so
 * that snippets fit each module and the text compresses well.
 * @param modules complete texts, with their snippets
 */
export function shortNames(modules: readonly string[]): ShortNames {
  const kept = new Set(['main']);
  const globals = new Map<string, number>();
  const fields = new Map<string, number>();
  for (const code of modules) {
    const all = declarations(code);
    const declared = new Set(all.filter(({ isOverride }) => !isOverride).map(({ declares }) => declares));
    for (const { tokens: list, scopes } of all) {
      for (const [i, { text }] of list.entries()) {
        const counts = scopes[i] === 'global' ? globals : scopes[i] === 'field' ? fields : undefined;
        // Not declared in its module, so a name of the language. It stays, even if another module declares a variable so named.
        if (counts === globals && !declared.has(text)) kept.add(text);
        else counts?.set(text, (counts.get(text) ?? 0) + 1);
      }
    }
  }
  for (const name of kept) globals.delete(name);
  return {
    globals: shortened(
      globals,
      names(UPPER, (name) => kept.has(name)),
    ),
    fields: shortened(
      fields,
      names(LOWER, (name) => SWIZZLE.test(name)),
    ),
    kept,
  };
}

/** Assigns short names by frequency. @param counts the number of uses of each name */
function shortened(counts: ReadonlyMap<string, number>, short: Generator<string>): ReadonlyMap<string, string> {
  const order = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return new Map(order.map(([name]) => [name, short.next().value]));
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
/** WGSL's words of two letters. */
const WORD = /^(?:as|do|fn|if|of)$/;

/** Generates names of one letter, then of two. Globals begin with a capital and locals do not, so none shadows another. */
function* names(letters: string, isTaken: (name: string) => boolean): Generator<string> {
  for (const second of ['', ...LOWER]) {
    for (const first of letters) {
      const name = first + second;
      if (!isTaken(name) && !WORD.test(name)) yield name;
    }
  }
  throw new Error('There are no names left of two letters.');
}

/**
 * Minifies a program: short names, no comments, and no unnecessary spaces and digits. Each function has its own line, so that
 * the line number in a compiler's message identifies it.
 */
export function minify(code: string, short: ShortNames): string {
  return declarations(code)
    .map((one) => `${joined(renamed(one, short))}\n`)
    .join('');
}

function renamed({ tokens: all, scopes }: Declaration, { globals, fields, kept }: ShortNames): string[] {
  const locals = new Map<string, string>();
  const next = names(LOWER, (name) => kept.has(name));
  return all.map(({ text, kind }, i) => {
    if (kind === 'number') return shortNumber(text);
    if (scopes[i] === 'fixed') return text;
    if (scopes[i] === 'field') return fields.get(text) ?? text;
    if (scopes[i] === 'global') return globals.get(text) ?? text;
    if (!locals.has(text)) locals.set(text, next.next().value);
    return locals.get(text) ?? text;
  });
}

/** 1.0 → 1., 0.50 → .5. The point remains, because without it the literal would be an integer. */
function shortNumber(text: string): string {
  const [, whole, rest = '', end = ''] = /^(\d*)\.(\d*?)0*((?:[eE][+-]?\d+)?[fh]?)$/.exec(text) ?? [];
  if (whole === undefined) return text;
  return `${whole === '0' && rest !== '' ? '' : whole}.${rest}${end}`;
}

function joined(texts: readonly string[]): string {
  let out = '';
  for (const [i, text] of texts.entries()) {
    // A comma at the end of a list is optional.
    if (text === ',' && /^[)}]$/.test(texts[i + 1] ?? '')) continue;
    out += needsBlank(texts[i - 1] ?? '', text) ? ` ${text}` : text;
  }
  return out;
}

/** True if two tokens without a space between them would be read as other tokens or as a comment. */
function needsBlank(left: string, right: string): boolean {
  if (left === '') return false;
  if (/^\/[/*]$/.test(left + right)) return true;
  const together = tokens(left + right);
  return together.length !== 2 || together[0]?.text !== left;
}
