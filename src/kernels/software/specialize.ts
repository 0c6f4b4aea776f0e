/** The value of each override. */
type Values = Readonly<Record<string, number | boolean>>;

/** Numbers and flags that a text may compare: its overrides, by name. */
type Known = ReadonlyMap<string, Operand>;
interface Operand {
  readonly value: number | boolean;
  readonly isFloat: boolean;
}

const OVERRIDE = /\boverride\s+(\w+)\s*(?::\s*(\w+)\s*)?(?:=\s*([^;]*?)\s*)?;/g;
const FUNCTION = /\bfn\s+\w+\s*\(/g;
/** A name that a function declares for itself. */
const LOCAL = /\b(?:(?:let|const)\s+|var\b\s*(?:<[^>]*>)?\s*)(\w+)/g;
const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[iuf]?$/i;
const COMPARISON = /^([\w.+-]+)\s*(==|!=|<=|>=|<|>)\s*([\w.+-]+)$/;
const CLAUSE = /^\s*(?:case\b([^:]*)|default)\s*:?\s*$/;

/**
 * A WGSL text without the branches that its overrides switch off, for the library's own shaders on CPU adapters. Compilers
 * drop them too, but late: SwiftShader's first copies every function into the places that call it, and takes half as long again
 * for a matmul. Only conditions of overrides and numbers are decided; the rest of the text stays as it is, line by line, without
 * its comments.
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
    // A name that the function declares for itself is not the override's; where it begins to be another does not matter.
    const own = [...parameters.matchAll(/(\w+)\s*:/g), ...source.matchAll(LOCAL)].map(([, name = '']) => name);
    const seen = new Map([...known].filter(([name]) => !own.includes(name)));
    out += text.slice(at, body) + new Body(source, seen).block().text;
    at = body + source.length;
  }
  return out + text.slice(at);
}

/** A fragment of a function body, and where control goes from there. */
interface Fragment {
  readonly text: string;
  /** Control never reaches what follows. */
  readonly ends: boolean;
  /** The number of `break` that leave the statement around. */
  readonly breaks: number;
}
/** A branch of an `if`, or a clause of a `switch`. */
interface Branch {
  /** The text up to its opening brace. */
  readonly head: string;
  readonly block: Fragment;
}

/** A function's body, read once from its beginning. */
class Body {
  readonly #text: string;
  readonly #known: Known;
  #at = 0;

  constructor(text: string, known: Known) {
    this.#text = text;
    this.#known = known;
  }

  /** The statements from here to the brace that closes their block, and that brace, if it is there. */
  block(): Fragment {
    let text = '';
    let ends = false;
    let breaks = 0;
    for (;;) {
      text += this.#match(/\s*/y);
      if (this.#at >= this.#text.length || this.#text[this.#at] === '}') break;
      const isContinuing = this.#text.startsWith('continuing', this.#at);
      const statement = this.#statement();
      // Compilers warn of what is never reached; a loop's `continuing` is, by a `continue`.
      if (ends && !isContinuing) {
        text += lines(statement.text);
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

  /** A block, a loop, or a statement that ends at a semicolon. */
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

  /** An `if` and all its `else`. */
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
        text += lines(head + block.text);
        continue;
      }
      // The first that is left begins the chain.
      if (truth) text += `${kept.length > 0 ? ' else ' : ''}${lines(head)}{${block.text}`;
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

  /** A `switch`: the clause that its override takes, in a block of its own; or all of it. */
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
    // A `break` of the switch would leave the loop around it.
    const breakAtEnd = /\bbreak\s*;(\s*\})$/;
    const isLast = chosen !== undefined && chosen.breaks === 1 && breakAtEnd.test(chosen.text);
    if (number === undefined || chosen === undefined || (chosen.breaks > 0 && !isLast)) {
      return { text: head + all.join('') + end, ends: false, breaks: 0 };
    }
    const before = lines(head + all.slice(0, number).join('') + (clauses[number]?.head ?? ''));
    const behind = lines(all.slice(number + 1).join('') + end);
    return {
      text: `${before}{${isLast ? chosen.text.replace(breakAtEnd, '$1') : chosen.text}${behind}`,
      ends: chosen.ends && !isLast,
      breaks: 0,
    };
  }

  /** The text to behind the next opening brace: no expression has one. */
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

  /** Reads the text that matches here. */
  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ''] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }
}

const ELSE = /\s*else\b\s*/y;

/** The clause that a value takes, if all labels are numbers. */
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

/** The truth of a condition, as far as overrides and numbers alone decide it. */
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

/** Terms that one of them may decide, unless a call stands before it: that may do more than to answer. */
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

function operandOf(text: string, known: Known): Operand | undefined {
  if (!NUMBER.test(text)) return known.get(text);
  return { value: Number.parseFloat(text), isFloat: /[.ef]/i.test(text) };
}

/** Numbers are compared in the type that the shader has them in. */
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

/** The overrides that a text declares, with the values that its program has. */
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

/** The type of a literal. */
function kindOf(literal: string): string | undefined {
  if (literal === 'true' || literal === 'false') return 'bool';
  if (!NUMBER.test(literal)) return undefined;
  return /[.ef]/i.test(literal) ? 'f32' : literal.endsWith('u') ? 'u32' : 'i32';
}

/** An expression without parentheses and blanks around all of it. */
function bare(expression: string): string {
  const text = expression.trim();
  return text.startsWith('(') && closing(text, 1) === text.length ? bare(text.slice(1, -1)) : text;
}

/** The parts between operators that no parentheses enclose. */
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

/** Behind the bracket that closes what `at` is in; or the end. */
function closing(text: string, at: number): number {
  let depth = 1;
  let end = at;
  for (; depth > 0 && end < text.length; end++) depth += depthOf(text[end]);
  return end;
}

const depthOf = (mark = ' '): number => ('([{'.includes(mark) ? 1 : ')]}'.includes(mark) ? -1 : 0);

/** Comments become a blank, or as many lines. Block comments nest. */
function withoutComments(code: string): string {
  let out = '';
  let depth = 0;
  for (let at = 0; at < code.length; ) {
    const mark = depth === 0 ? /\/\/[^\n\v\f\r\u0085\u2028\u2029]*|\/\*/g : /\/\*|\*\//g;
    mark.lastIndex = at;
    const found = mark.exec(code);
    const text = code.slice(at, found?.index ?? code.length);
    out += depth === 0 ? text : lines(text);
    if (found === null) break;
    if (found[0] === '/*') depth++;
    else if (found[0] === '*/') depth--;
    if (depth === 0) out += ' ';
    at = found.index + found[0].length;
  }
  return out;
}

/** The ends of a text's lines alone. */
const lines = (text: string): string => text.replaceAll(/[^\n]/g, '');
