/** The value of each override. */
type Values = Readonly<Record<string, number | boolean>>;

/** The overrides of a shader whose values are known, by name. */
type Known = ReadonlyMap<string, Operand>;
/** An operand of a comparison. */
interface Operand {
  readonly value: number | boolean;
  readonly isFloat: boolean;
}

const OVERRIDE = /\boverride\s+(\w+)\s*(?::\s*(\w+)\s*)?(?:=\s*([^;]*?)\s*)?;/g;
const FUNCTION = /\bfn\s+\w+\s*\(/g;
/** The declaration of a local name. */
const LOCAL = /\b(?:(?:let|const)\s+|var\b\s*(?:<[^>]*>)?\s*)(\w+)/g;
const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[iuf]?$/i;
const COMPARISON = /^([\w.+-]+)\s*(==|!=|<=|>=|<|>)\s*([\w.+-]+)$/;
const CLAUSE = /^\s*(?:case\b([^:]*)|default)\s*:?\s*$/;

/**
 * Removes from a WGSL text the branches that its overrides switch off. It is meant for the library's own shaders on
 * software adapters. Compilers remove these branches too, but late: SwiftShader's compiler first inlines every
 * function, so that a matmul takes half as long again to compile. Only conditions of overrides and numbers are
 * evaluated; all other text keeps its lines, without comments.
 */
export function specialized(code: string, overrides: Values): string {
  const text = withoutComments(code);
  const known = declared(text, overrides);
  let out = '';
  let at = 0;
  for (const { index, 0: head } of text.matchAll(FUNCTION)) {
    const parameters = text.slice(index + head.length, closing(text, index + head.length));
    const body = text.indexOf('{', index + head.length + parameters.length) + 1;
    const source = text.slice(body, closing(text, body));
    // A local name hides the override of the same name. It counts for the whole function, wherever it is declared.
    const own = [...parameters.matchAll(/(\w+)\s*:/g), ...source.matchAll(LOCAL)].map(([, name = '']) => name);
    const seen = new Map([...known].filter(([name]) => !own.includes(name)));
    out += text.slice(at, body) + new Body(source, seen).block().text;
    at = body + source.length;
  }
  return out + text.slice(at);
}

/** A fragment of a function body, and the ways in which control leaves it. */
interface Fragment {
  readonly text: string;
  /** True if control never reaches the text behind the fragment. */
  readonly ends: boolean;
  /** The number of `break` statements that leave the enclosing loop or switch. */
  readonly breaks: number;
}
/** A branch of an `if`, or a clause of a `switch`. */
interface Branch {
  /** The text up to the opening brace of the block. */
  readonly head: string;
  readonly block: Fragment;
}

/** A parser of a function's body, which reads the text once, from its beginning. */
class Body {
  readonly #text: string;
  readonly #known: Known;
  #at = 0;

  constructor(text: string, known: Known) {
    this.#text = text;
    this.#known = known;
  }

  /** Reads the statements up to the closing brace of their block, and that brace if there is one. */
  block(): Fragment {
    let text = '';
    let ends = false;
    let breaks = 0;
    for (;;) {
      text += this.#match(/\s*/y);
      if (this.#at >= this.#text.length || this.#text[this.#at] === '}') break;
      const isContinuing = this.#text.startsWith('continuing', this.#at);
      const statement = this.#statement();
      // Compilers warn of code that is never reached. The `continuing` of a loop is reached by a `continue`.
      if (ends && !isContinuing) {
        text += lineBreaks(statement.text);
        continue;
      }
      text += statement.text;
      ends ||= statement.ends;
      breaks += statement.breaks;
    }
    return { text: text + this.#match(/\}/y), ends, breaks };
  }

  #statement(): Fragment {
    const attributes = this.#attributes();
    const [word = ''] = /^\w*/.exec(this.#text.slice(this.#at, this.#at + 16)) ?? []; // as long as a keyword
    const part = word === 'if' ? this.#chain() : word === 'switch' ? this.#choice() : this.#other(word);
    return { ...part, text: attributes + part.text };
  }

  /** Reads a block, a loop, or a statement that ends at a semicolon. */
  #other(word: string): Fragment {
    if (this.#text[this.#at] === '{') {
      const head = this.#head();
      const block = this.block();
      return { ...block, text: head + block.text };
    }
    if (/^(?:for|while|loop|continuing)$/.test(word)) {
      const head = this.#head();
      return { text: head + this.block().text, ends: false, breaks: 0 };
    }
    const text = this.#match(/[^;]*;?/y);
    const isBreak = /^break\s*;/.test(text);
    return { text, ends: isBreak || /^(?:return|continue)\b/.test(text), breaks: isBreak ? 1 : 0 };
  }

  /** Reads an `if` with all its `else` branches. */
  #chain(): Fragment {
    const branches: Branch[] = [{ head: this.#head(), block: this.block() }];
    for (let lead = this.#match(ELSE); lead !== ''; lead = this.#match(ELSE)) {
      branches.push({ head: lead + this.#head(), block: this.block() });
    }
    let text = '';
    let decided = false;
    const kept: Fragment[] = [];
    for (const { head, block } of branches) {
      const [, condition] = /\bif\b([^{]*)\{$/.exec(head) ?? [];
      const truth = condition === undefined ? true : truthOf(condition, this.#known);
      if (decided || truth === false) {
        text += lineBreaks(head + block.text);
        continue;
      }
      // The first branch that is kept begins the chain.
      if (truth) text += `${kept.length > 0 ? ' else ' : ''}${lineBreaks(head)}{${block.text}`;
      else text += (kept.length > 0 ? head : head.replace(/\belse\b/, '')) + block.text;
      kept.push(block);
      decided = truth === true;
    }
    return {
      text: kept.length === 0 ? `{}${text}` : text,
      ends: decided && kept.every(({ ends }) => ends),
      breaks: kept.reduce((sum, { breaks }) => sum + breaks, 0),
    };
  }

  /** Reads a `switch`: keeps only the clause that the override selects, as a block, or all of it if that is unknown. */
  #choice(): Fragment {
    const head = this.#head();
    const clauses: Branch[] = [];
    for (let lead = this.#match(/[^{}]*\{/y); lead !== ''; lead = this.#match(/[^{}]*\{/y)) {
      clauses.push({ head: lead, block: this.block() });
    }
    const end = this.#match(/\s*\}/y);
    const all = clauses.map((clause) => clause.head + clause.block.text);
    const selector = this.#known.get(bare(head.slice('switch'.length, -1)))?.value;
    const number = typeof selector === 'number' ? chosenClause(clauses, selector) : undefined;
    const chosen = number === undefined ? undefined : clauses[number]?.block;
    // Without the switch, a `break` in the clause would leave the enclosing loop. Only one at the end of the clause can
    // be removed.
    const breakAtEnd = /\bbreak\s*;(\s*\})$/;
    const isLast = chosen !== undefined && chosen.breaks === 1 && breakAtEnd.test(chosen.text);
    if (number === undefined || chosen === undefined || (chosen.breaks > 0 && !isLast)) {
      return { text: head + all.join('') + end, ends: false, breaks: 0 };
    }
    const before = lineBreaks(head + all.slice(0, number).join('') + (clauses[number]?.head ?? ''));
    const behind = lineBreaks(all.slice(number + 1).join('') + end);
    return {
      text: `${before}{${isLast ? chosen.text.replace(breakAtEnd, '$1') : chosen.text}${behind}`,
      ends: chosen.ends && !isLast,
      breaks: 0,
    };
  }

  /** Reads the text through the next opening brace: no expression has a brace. */
  #head(): string {
    return this.#match(/[^{]*\{?/y);
  }

  #attributes(): string {
    const start = this.#at;
    while (this.#text[this.#at] === '@') {
      this.#match(/@\w+\s*/y);
      if (this.#match(/\(/y) !== '') this.#at = closing(this.#text, this.#at);
      this.#match(/\s*/y);
    }
    return this.#text.slice(start, this.#at);
  }

  /** Reads the text that the pattern matches here, or nothing. */
  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ''] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }
}

const ELSE = /\s*else\b\s*/y;

/** The number of the clause that a value selects, if all labels are numbers. */
function chosenClause(clauses: readonly Branch[], value: number): number | undefined {
  const labels = clauses.map(({ head }) => {
    const [found, list] = CLAUSE.exec(head.slice(0, -1)) ?? [];
    if (found === undefined) return ['unknown'];
    return list === undefined ? ['default'] : list.split(',').flatMap((label) => label.trim() || []);
  });
  if (!labels.flat().every((label) => label === 'default' || /^-?\d+[iu]?$/.test(label))) return undefined;
  const taken = labels.findIndex((list) => list.some((label) => Number.parseInt(label, 10) === value));
  const number = taken >= 0 ? taken : labels.findIndex((list) => list.includes('default'));
  return number >= 0 ? number : undefined;
}

/** The value of a condition, if overrides and numbers alone determine it. */
function truthOf(condition: string, known: Known): boolean | undefined {
  const text = bare(condition);
  for (const [operator, deciding] of [['||', true] as const, ['&&', false] as const]) {
    const terms = split(text, operator);
    if (terms.length > 1) return decided(terms, deciding, known);
  }
  if (/^!\s*(?:\w+|\(.*\))$/s.test(text)) {
    const truth = truthOf(text.slice(1), known);
    return truth === undefined ? undefined : !truth;
  }
  const [, left = '', relation, right = ''] = COMPARISON.exec(text) ?? [];
  if (relation !== undefined) return compared(operandOf(left, known), relation, operandOf(right, known));
  const value = text === 'true' || text === 'false' ? text === 'true' : known.get(text)?.value;
  return typeof value === 'boolean' ? value : undefined;
}

/**
 * The value of terms that are joined by `||` or `&&`: `deciding` as soon as one term has that value. A term with a call
 * before it leaves the value unknown, since the call may have side effects.
 */
function decided(terms: readonly string[], deciding: boolean, known: Known): boolean | undefined {
  let isOpen = false;
  for (const term of terms) {
    const truth = truthOf(term, known);
    if (truth === deciding) return truth;
    if (truth !== undefined) continue;
    if (term.includes('(')) return undefined;
    isOpen = true;
  }
  return isOpen ? undefined : !deciding;
}

/** The value of a number or of a known override. */
function operandOf(text: string, known: Known): Operand | undefined {
  if (!NUMBER.test(text)) return known.get(text);
  return { value: Number.parseFloat(text), isFloat: /[.ef]/i.test(text) };
}

/** The result of a comparison, in the type of the shader: float32 if an operand is a float. */
function compared(left: Operand | undefined, relation: string, right: Operand | undefined): boolean | undefined {
  if (typeof left?.value !== 'number' || typeof right?.value !== 'number') return undefined;
  const isFloat = left.isFloat || right.isFloat;
  const [a, b] = isFloat ? [Math.fround(left.value), Math.fround(right.value)] : [left.value, right.value];
  if (relation === '==') return a === b;
  if (relation === '!=') return a !== b;
  if (relation === '<') return a < b;
  if (relation === '>') return a > b;
  return relation === '<=' ? a <= b : a >= b;
}

/** The overrides that a text declares, with their values in the program. */
function declared(text: string, overrides: Values): Known {
  const known = new Map<string, Operand>();
  for (const [, name = '', type, initial = ''] of text.matchAll(OVERRIDE)) {
    const value = overrides[name];
    const kind = type ?? kindOf(initial);
    if (value === undefined || kind === undefined) continue;
    if (kind === 'bool') known.set(name, { value: Boolean(value), isFloat: false });
    if (kind === 'f32') known.set(name, { value: Math.fround(Number(value)), isFloat: true });
    if (kind === 'u32' || kind === 'i32') known.set(name, { value: Math.trunc(Number(value)), isFloat: false });
  }
  return known;
}

/** The type of a literal, if it is a boolean or a number. */
function kindOf(literal: string): string | undefined {
  if (literal === 'true' || literal === 'false') return 'bool';
  if (!NUMBER.test(literal)) return undefined;
  return /[.ef]/i.test(literal) ? 'f32' : literal.endsWith('u') ? 'u32' : 'i32';
}

/** An expression without the parentheses and blanks that enclose all of it. */
function bare(expression: string): string {
  const text = expression.trim();
  return text.startsWith('(') && closing(text, 1) === text.length ? bare(text.slice(1, -1)) : text;
}

/** Splits a text at the operators outside of all brackets. */
function split(text: string, operator: string): string[] {
  const parts = [''];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (depth === 0 && text.startsWith(operator, at)) {
      parts.push('');
      at += operator.length - 1;
      continue;
    }
    depth += depthOf(text[at]);
    parts[parts.length - 1] += text[at] ?? '';
  }
  return parts;
}

/** The index after the bracket that closes the one around `at`; or the length of the text. */
function closing(text: string, at: number): number {
  let depth = 1;
  let end = at;
  for (; depth > 0 && end < text.length; end++) depth += depthOf(text[end]);
  return end;
}

const depthOf = (mark = ' '): number => ('([{'.includes(mark) ? 1 : ')]}'.includes(mark) ? -1 : 0);

/** Replaces each comment by a blank, and keeps line breaks. Block comments nest. */
function withoutComments(code: string): string {
  let out = '';
  let depth = 0;
  for (let at = 0; at < code.length; ) {
    const mark = depth === 0 ? /\/\/[^\n\v\f\r\u0085\u2028\u2029]*|\/\*/g : /\/\*|\*\//g;
    mark.lastIndex = at;
    const found = mark.exec(code);
    const text = code.slice(at, found?.index ?? code.length);
    out += depth === 0 ? text : lineBreaks(text);
    if (found === null) break;
    if (found[0] === '/*') depth++;
    else if (found[0] === '*/') depth--;
    if (depth === 0) out += ' ';
    at = found.index + found[0].length;
  }
  return out;
}

/** The line breaks of a text. */
const lineBreaks = (text: string): string => text.replaceAll(/[^\n]/g, '');
