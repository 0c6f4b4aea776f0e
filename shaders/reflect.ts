import { Override, ResourceType, WgslParser, WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';
import type { Shader } from '../src/plan/shader.js';

/** The texts in shaders/lib/, by name. The header `//! uses NAME` of a file appends that text, and those that it uses. */
export type Snippets = Readonly<Record<string, string>>;

/**
 * Reads a shader's declarations at build time.
 * @throws {Error} if the shader cannot be parsed or uses something that the runtime does not support; the text names the
 * file, and the line if the parser reports it
 */
export function reflectShader(name: string, source: string, snippets: Snippets): Shader {
  try {
    const used = uses(source, snippets).map((snippet) => snippets[snippet] ?? '');
    const code = used.length === 0 ? source : `${source}\n${used.join('')}`;
    return { name, code, overrides: overrideDefaults(code), ...bindings(code) };
  } catch (cause) {
    // The parser throws strings as well as errors; the text ends with the line.
    const [, message = '', line] =
      /^(.*?)(?:\.* Line: (\d+))?$/s.exec(cause instanceof Error ? cause.message : String(cause)) ?? [];
    throw new Error(`shaders/${name}.wgsl${line === undefined ? '' : `:${line}`}: ${message}`, { cause });
  }
}

/**
 * The snippets that a text needs, each once and in the order of `snippets`: those that its header names, and those that these
 * snippets name in turn.
 * @throws {Error} if a name is unknown, or if snippets use each other in a cycle
 */
export function uses(source: string, snippets: Snippets): string[] {
  const needed = new Set<string>();
  const follow = (text: string, path: readonly string[]): void => {
    for (const name of named(text, snippets, path.at(-1))) {
      if (path.includes(name)) {
        const circle = [...path.slice(path.indexOf(name)), name].map((snippet) => `lib/${snippet}.wgsl`);
        throw new Error(`${circle.join(' uses ')}, which is a circle.`);
      }
      needed.add(name);
      follow(snippets[name] ?? '', [...path, name]);
    }
  };
  follow(source, []);
  return Object.keys(snippets).filter((name) => needed.has(name));
}

/** The snippets that a text's own header names. @param snippet the name of the text, if it is a snippet */
function named(text: string, snippets: Snippets, snippet: string | undefined): string[] {
  const known = Object.keys(snippets);
  return [...text.matchAll(/^\/\/!(.*)$/gm)].map(([, line = '']) => {
    const name = known.find((candidate) => line.trim() === `uses ${candidate}`);
    if (name !== undefined) return name;
    const place = snippet === undefined ? '' : `lib/${snippet}.wgsl: `;
    const list = known.map((candidate) => `"//! uses ${candidate}"`).join(', ');
    throw new Error(`${place}"//! ${line.trim()}" is not known. Known: ${list}.`);
  });
}

/** Default values of the overrides, read from the text because the parser rounds to f32 and misreads some literals. */
function overrideDefaults(code: string): Record<string, number | boolean> {
  const defaults: Record<string, number | boolean> = {};
  const program = stripComments(code);
  for (const node of new WgslParser().parse(code)) {
    if (!(node instanceof Override)) continue;
    const { name } = node;
    if (node.attributes?.length) throw new Error(`override ${name} has an attribute; pipelines find it by its name.`);
    const literal = new RegExp(
      `\\boverride\\s+${name}\\s*(?::\\s*\\w+)?\\s*=\\s*(?:(true|false)|(-?\\d+\\.?\\d*(?:e[+-]?\\d+)?)[iuf]?)\\s*;`,
    ).exec(program);
    if (literal === null) throw new Error(`override ${name} has no default that is a decimal literal, true or false.`);
    const [, flag, number] = literal;
    defaults[name] = flag === undefined ? Number(number) : flag === 'true';
  }
  return defaults;
}

function bindings(code: string): Pick<Shader, 'uniforms' | 'buffers'> {
  const { entry, uniforms: structs, storage, textures, samplers, immediates } = new WgslReflect(code);
  const uniforms: Record<string, { binding: number; size: number; fields: Record<string, 'u32' | 'f32'> }> = {};
  const buffers: Record<string, { binding: number; access: 'read' | 'read_write'; type: string }> = {};
  const entries = [...entry.compute, ...entry.vertex, ...entry.fragment];
  if (entries.length !== 1 || entry.compute[0]?.name !== 'main')
    throw new Error('a shader has one entry point, the compute shader main.');
  const others = [...textures, ...samplers, ...immediates, ...storage].filter(
    ({ resourceType }) => resourceType !== ResourceType.Storage,
  );
  for (const { name } of others) throw new Error(`${name} is neither a uniform nor a storage buffer.`);
  const taken = new Map<number, string>();
  for (const { name, group, binding } of [...structs, ...storage]) {
    if (group !== 0) throw new Error(`${name} is in group ${group}; everything is in group 0.`);
    const rival = taken.get(binding);
    if (rival !== undefined) throw new Error(`${rival} and ${name} are both at binding ${binding}.`);
    taken.set(binding, name);
  }
  for (const { name, binding, members, size } of structs) {
    if (members === null) throw new Error(`${name} is a uniform, but not a struct.`);
    // Only 4-byte fields without gaps: a field's index is its position, and the runtime packs a struct without knowing
    // WGSL's layout rules.
    const fields: Record<string, 'u32' | 'f32'> = {};
    for (const [number, { name: field, type, offset }] of members.entries()) {
      if (type.name !== 'u32' && type.name !== 'f32')
        throw new Error(`${name}.${field} is ${type.name}; a field is u32 or f32.`);
      if (offset !== 4 * number)
        throw new Error(`${name}.${field} is at byte ${offset}; fields follow each other, without @align or @size.`);
      fields[field] = type.name;
    }
    // A uniform binding is a whole number of 16 bytes.
    uniforms[name] = { binding, size: Math.ceil(size / 16) * 16, fields };
  }
  for (const { name, binding, access, type } of storage) {
    if (access !== 'read' && access !== 'read_write')
      throw new Error(`${name} has access ${access}; it is read or read_write.`);
    buffers[name] = { binding, access, type: type.getTypeName().replace(/, 0>$/, '>') };
  }
  return { uniforms, buffers };
}

/** The characters that end a line, and with it a comment. */
const LINE_BREAK = /[\n\v\f\r\u0085\u2028\u2029]/;

/**
 * Removes comments, indentation, blank lines, and spaces around punctuation that cannot be part of another token. Lines and
 * names remain, so that a compiler's messages are readable. WGSL has no strings, and its block comments nest.
 */
export function stripComments(code: string): string {
  let out = '';
  let depth = 0;
  for (let i = 0; i < code.length; i++) {
    const two = code.slice(i, i + 2);
    if (two === '/*') {
      depth += 1;
      i += 1;
    } else if (two === '*/' && depth > 0) {
      depth -= 1;
      i += 1;
      out += ' ';
    } else if (depth === 0 && two === '//') {
      while (i + 1 < code.length && !LINE_BREAK.test(code[i + 1] ?? '')) i++;
    } else if (depth === 0) {
      out += code[i] ?? '';
    }
  }
  return (
    out
      .split(LINE_BREAK)
      // A space after / and > remains: "/ *p" would become a comment, and some parsers would read ">=" in "array<f32> =".
      .map((line) => line.trim().replace(/(?<![/>]) *([{}()[\]:;,=*+%&|!]) */g, '$1'))
      .filter((line) => line !== '')
      .join('\n')
  );
}

/**
 * TypeScript's view of all shaders: exact types, so that a renamed binding, field or override is a type error.
 * @param pathOf returns a shader's path in this folder, by its name
 */
export function declarations(shaders: readonly Shader[], pathOf: (name: string) => string): string {
  const modules = shaders.map(({ name, overrides, uniforms, buffers }) => {
    const overrideTypes = Object.entries(overrides).map(([key, value]) => `readonly ${key}: ${typeof value};`);
    const uniformTypes = Object.entries(uniforms).map(([key, { fields }]) => {
      const fieldTypes = Object.entries(fields).map(([field, type]) => `readonly ${field}: '${type}';`);
      return `readonly ${key}: Uniform<{ ${fieldTypes.join(' ')} }>;`;
    });
    const bufferTypes = Object.entries(buffers).map(
      ([key, { access, type }]) => `readonly ${key}: Binding<'${access}', '${type}'>;`,
    );
    const block = (key: string, lines: readonly string[]): string =>
      lines.length === 0
        ? `    readonly ${key}: Record<never, never>;`
        : `    readonly ${key}: {\n${lines.map((line) => `      ${line}`).join('\n')}\n    };`;
    return `declare module '*/shaders/${pathOf(name)}' {
  const shader: {
    readonly name: '${name}';
    readonly code: string;
    readonly library: true;
${block('overrides', overrideTypes)}
${block('uniforms', uniformTypes)}
${block('buffers', bufferTypes)}
  };
  export default shader;
}
`;
  });
  return `// Generated by shaders/plugin.ts from the .wgsl files; do not edit.

type Uniform<F> = { readonly binding: number; readonly size: number; readonly fields: F };
type Binding<A, T> = { readonly binding: number; readonly access: A; readonly type?: T };

${modules.join('\n')}`;
}
