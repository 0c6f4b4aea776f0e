import { Override, WgslParser, WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';
import type { Shader } from '../src/gpu/shader.js';

/** What a file whose header says `uses activations` gets appended. */
export interface Snippets {
  /** shaders/activations.wgsl: the functions that activations are made of. */
  readonly helpers: string;
  /** activate() and activate_derivative(), from the table in src/activations.ts. */
  readonly activations: string;
}

/**
 * Reads a shader's declarations at build time.
 * @throws {Error} that names the file, for what cannot be parsed or what the runtime does not support
 */
export function reflectShader(name: string, source: string, snippets: Snippets): Shader {
  const code = /^\/\/! uses activations$/m.test(source)
    ? `${source}\n${snippets.helpers}${snippets.activations}`
    : source;
  try {
    return { name, code, overrides: overrideDefaults(code), ...bindings(code) };
  } catch (cause) {
    // The parser throws strings as well as errors.
    throw new Error(`shaders/${name}.wgsl: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** An override's default is only in the syntax tree. */
function overrideDefaults(code: string): Record<string, number | boolean> {
  const defaults: Record<string, number | boolean> = {};
  for (const node of new WgslParser().parse(code)) {
    if (!(node instanceof Override)) continue;
    const literal = /^override\s+\w+\s*(?::\s*\w+)?\s*=\s*(true|false|[\d.]+)u?f?\s*;/.exec(
      declaration(code, node.name),
    );
    if (literal === null) throw new Error(`override ${node.name} has no literal default; give it one.`);
    const text = literal[1] ?? '';
    defaults[node.name] = text === 'true' || text === 'false' ? text === 'true' : Number(text);
  }
  return defaults;
}

function declaration(code: string, name: string): string {
  const found = new RegExp(`^override\\s+${name}\\b[^;]*;`, 'm').exec(code);
  return found === null ? '' : found[0];
}

function bindings(code: string): Pick<Shader, 'uniforms' | 'buffers'> {
  const reflection = new WgslReflect(code);
  const uniforms: Record<string, { binding: number; size: number; fields: Record<string, 'u32' | 'f32'> }> = {};
  const buffers: Record<string, { binding: number; access: 'read' | 'read_write'; type: string }> = {};
  if (reflection.entry.compute.length !== 1) throw new Error('a shader has one compute entry point.');
  for (const { name, group, binding, members, size } of reflection.uniforms) {
    if (group !== 0) throw new Error(`${name} is in group ${group}; everything is in group 0.`);
    // Only words: so a field's place is its number, and the runtime packs a struct without knowing WGSL's layout rules.
    const fields: Record<string, 'u32' | 'f32'> = {};
    for (const { name: field, type } of members ?? []) {
      if (type.name !== 'u32' && type.name !== 'f32')
        throw new Error(`${name}.${field} is ${type.name}; a field is u32 or f32.`);
      fields[field] = type.name;
    }
    // A uniform binding is a whole number of 16 bytes.
    uniforms[name] = { binding, size: Math.ceil(size / 16) * 16, fields };
  }
  for (const { name, group, binding, access, type } of reflection.storage) {
    if (group !== 0) throw new Error(`${name} is in group ${group}; everything is in group 0.`);
    if (access !== 'read' && access !== 'read_write')
      throw new Error(`${name} has access ${access}; it is read or read_write.`);
    buffers[name] = { binding, access, type: type.getTypeName().replace(/, 0>$/, '>') };
  }
  return { uniforms, buffers };
}

/**
 * The same program without comments, indentation, blank lines and the blanks around punctuation that cannot be part of
 * another token. Lines and names stay, so a compiler's messages can be read. WGSL has no strings; block comments nest.
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
      while (i + 1 < code.length && code[i + 1] !== '\n') i++;
    } else if (depth === 0) {
      out += code[i] ?? '';
    }
  }
  return out
    .split('\n')
    .map((line) => line.trim().replace(/ *([{}()[\]:;,=*]) */g, '$1'))
    .filter((line) => line !== '')
    .join('\n');
}

/** TypeScript's view of all shaders: exact types, so that a renamed binding, field or override is a type error. */
export function declarations(shaders: readonly Shader[]): string {
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
    return `declare module '*/shaders/${name}.wgsl' {
  const shader: {
    readonly name: '${name}';
    readonly code: string;
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
type Binding<A, T> = { readonly binding: number; readonly access: A; readonly type: T };

${modules.join('\n')}`;
}
