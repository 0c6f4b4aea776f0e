// @ts-check
// node tools/prose.mjs: comments of src/ and shaders/ begin with the thing that they are about, not with a question word.
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseSync } from 'vite';
import { root } from './install.mjs';

/** @typedef {{ line: number, text: string }} Statement A line's number, and the words that begin there. */
/** @typedef {{ start: number, end: number, type: string, value: string }} Comment */

const QUESTION_WORD = /^(?:what|whatever|whether|who|whoever|whose|which|how|where|when)\b/i;

/** Tags of doc comments whose words are checked by themselves. */
const TAG = /^@(?:internal|returns?|(?:param|typeParam|template|property)\s+\S+)(?:\s+-)?\s*/;

/**
 * The comments of a WGSL text, which has no strings.
 * @param {string} code
 * @returns {Comment[]}
 */
function wgslComments(code) {
  return [...code.matchAll(/\/\/(.*)|\/\*([\s\S]*?)\*\//g)].map(({ 0: whole, 1: line, 2: block, index }) => ({
    start: index,
    end: index + whole.length,
    type: line === undefined ? 'Block' : 'Line',
    value: line ?? block ?? '',
  }));
}

/**
 * The comments of a file, those of consecutive lines as one, and each tag of a doc comment by itself.
 * @param {string} file
 * @param {string} code
 * @returns {Statement[]}
 */
function statementsOf(file, code) {
  const lang = file.endsWith('.d.ts') ? 'dts' : 'ts';
  const comments = file.endsWith('.wgsl') ? wgslComments(code) : parseSync(file, code, { lang }).comments;
  /** @type {Statement[]} */
  const statements = [];
  /** End of the comment before, if that has its line for itself. */
  let end = -1;
  for (const comment of comments) {
    const line = code.slice(0, comment.start).split('\n').length;
    const isContinued = comment.type === 'Line' && /^\n[^\S\n]*$/.test(code.slice(end, comment.start));
    const isAlone = comment.type === 'Line' && /(?:^|\n)[^\S\n]*$/.test(code.slice(0, comment.start));
    end = isAlone ? comment.end : -1;
    const last = statements.at(-1);
    if (isContinued && last !== undefined) last.text += `\n${comment.value}`;
    else statements.push(...cut(comment.value, line));
  }
  return statements;
}

/**
 * Cuts a comment before each of its tags.
 * @param {string} value
 * @param {number} first the number of its first line
 * @returns {Statement[]}
 */
function cut(value, first) {
  /** @type {Statement[]} */
  const statements = [];
  let line = first;
  for (const part of value.split(/(?=@(?:internal|returns?|param|typeParam|template|property|throws|example|see)\b)/)) {
    const space = /^[\s*]*/.exec(part)?.[0] ?? '';
    statements.push({ line: line + space.split('\n').length - 1, text: part.slice(space.length) });
    line += part.split('\n').length - 1;
  }
  return statements;
}

/**
 * The comments of a file that begin with a question word: the line and the first sentence of each.
 * @param {string} file its name says its language
 * @param {string} code
 * @returns {Statement[]}
 */
export function questions(file, code) {
  return statementsOf(file, code).flatMap(({ line, text }) => {
    const words = text
      .replaceAll(/\n[\s*]*/g, ' ')
      .replace(TAG, '')
      .trim();
    return QUESTION_WORD.test(words) ? [{ line, text: words.replace(/(?<=[.:;?!]) [\s\S]*/, '') }] : [];
  });
}

/** @returns {number} comments that begin with a question word, each printed */
function check() {
  let count = 0;
  for (const folder of ['src', 'shaders']) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort();
    for (const name of names.map((path) => path.replaceAll('\\', '/'))) {
      if (!/\.(?:ts|wgsl)$/.test(name)) continue;
      const file = `${folder}/${name}`;
      for (const { line, text } of questions(file, readFileSync(join(root, file), 'utf8'))) {
        console.error(`${file}:${line}: ${text}`);
        count += 1;
      }
    }
  }
  return count;
}

if (import.meta.url === pathToFileURL(realpathSync(process.argv[1] ?? '')).href) {
  const count = check();
  if (count > 0) {
    console.error(
      `${count} comments begin with a question word. Begin with the thing: a noun, or a verb in the third person.`,
    );
    process.exitCode = 1;
  }
}
