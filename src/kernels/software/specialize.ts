/** The value of each override. */
type Values = Readonly<Record<string, number | boolean>>;

/** The beginning of an `if` whose condition has no parentheses, or of a `switch` over a name. */
const BRANCH = /\b(?:if\s*\(([^(){};]*)\)|switch\s+(\w+))\s*{/g;
/** A case of one number, whose body has no blocks. */
const CASE = /case (\d+):\s*{([^{}]*)}/g;
/** What conditions are made of, with && between: a name, its contrary, or a name compared with a number. */
const TERM = /^(!?)(\w+)$|^(\w+)\s*(==|>)\s*([\d.]+)$/;

/**
 * A WGSL text without the branches that these overrides switch off. Compilers drop them too, but late: one that first
 * copies every function into the places that call it, as SwiftShader's does, takes half as long again for a product. Line
 * numbers stay; comments go.
 */
export function specialized(code: string, overrides: Values): string {
  let text = code.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, (comment) => padded('', comment));
  const branches = new RegExp(BRANCH);
  for (let found = branches.exec(text); found !== null; found = branches.exec(text)) {
    const [head, condition, selector = ''] = found;
    const start = found.index;
    const body = start + head.length;
    const taken =
      condition === undefined
        ? takenCase(text, body, Number(overrides[selector]))
        : takenBranch(text, start, body, truthOf(condition, overrides));
    if (taken === undefined) continue;
    text = text.slice(0, start) + padded(taken.text, text.slice(start, taken.end)) + text.slice(taken.end);
    // What is left may begin with a branch itself.
    branches.lastIndex = start;
  }
  return text;
}

/** What stands for a statement, and where that ends. */
interface Taken {
  readonly text: string;
  readonly end: number;
}

function takenCase(text: string, body: number, value: number): Taken | undefined {
  const end = endOfBlock(text, body);
  const cases = [...text.slice(body, end).matchAll(CASE)];
  const chosen = cases.find(([, label]) => Number(label) === value)?.[2];
  return chosen === undefined ? undefined : { text: chosen, end };
}

function takenBranch(text: string, start: number, body: number, truth: boolean | undefined): Taken | undefined {
  if (truth === undefined) return;
  const closed = endOfBlock(text, body);
  const other = afterElse(text, closed);
  if (!truth) return other === undefined ? { text: '{}', end: closed } : { text: '', end: other };
  const kept = text.slice(body - 1, closed);
  // What follows a return is never reached, of which compilers warn; unless it follows an `else` as well.
  const returns = /\breturn\b[^;{}]*;\s*}$/.test(kept) && !/\belse\s*$/.test(text.slice(0, start));
  return { text: kept, end: returns ? endOfBlock(text, closed) - 1 : endOfChain(text, closed) };
}

/** Whether the condition holds, as far as the overrides alone decide that. */
function truthOf(condition: string, overrides: Values): boolean | undefined {
  const terms = condition.split('&&').map((term) => {
    const [, not, flag, name = flag ?? '', relation, number] = TERM.exec(term.trim()) ?? [];
    const value = overrides[name];
    if (value === undefined) return undefined;
    if (relation === undefined) return (not === '!') !== Boolean(value);
    return relation === '>' ? Number(value) > Number(number) : Number(value) === Number(number);
  });
  if (terms.includes(false)) return false;
  return terms.includes(undefined) ? undefined : true;
}

/** Behind the brace that closes the block in which `at` is. */
function endOfBlock(text: string, at: number): number {
  let depth = 1;
  let end = at;
  for (; depth > 0 && end < text.length; end++) depth += text[end] === '{' ? 1 : text[end] === '}' ? -1 : 0;
  return end;
}

/** Behind the `else` that comes next, if one does. */
function afterElse(text: string, at: number): number | undefined {
  const found = /^\s*else\b\s*/.exec(text.slice(at));
  return found === null ? undefined : at + found[0].length;
}

/** Behind all the else branches that follow. */
function endOfChain(text: string, at: number): number {
  const other = afterElse(text, at);
  return other === undefined ? at : endOfChain(text, endOfBlock(text, text.indexOf('{', other) + 1));
}

/** The text with as many lines as the other has. */
function padded(text: string, other: string): string {
  return text + '\n'.repeat(Math.max(other.split('\n').length - text.split('\n').length, 0));
}
