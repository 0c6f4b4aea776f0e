import { MlpError } from '../base/errors.js';

/** A field of a uniform struct: a word. */
export type Word = 'u32' | 'f32';
export type Access = 'read' | 'read_write';

/** A WGSL module and what it declares: what the bundler plugin makes of a .wgsl file, or `defineShader` of a text. */
export interface Shader {
  readonly name: string;
  readonly code: string;
  /**
   * @internal
   * The text is one of this library's, which the library may compile in an equivalent form: on software adapters, without the
   * branches that overrides switch off. The bundler plugin sets it. Without it, as in all that `defineShader` makes, a text is
   * compiled exactly as it was written.
   */
  readonly library?: boolean;
  /** The defaults that the file states. */
  readonly overrides: Readonly<Record<string, number | boolean>>;
  /** Structs of words; `fields` are in their order. */
  readonly uniforms: Readonly<
    Record<string, { readonly binding: number; readonly size: number; readonly fields: Readonly<Record<string, Word>> }>
  >;
  readonly buffers: Readonly<
    Record<string, { readonly binding: number; readonly access: Access; readonly type?: string }>
  >;
}

/** The declarations of a shader's text, by name. */
export interface ShaderDeclaration<
  Overrides extends Readonly<Record<string, number | boolean>>,
  Uniforms extends Readonly<Record<string, Readonly<Record<string, Word>>>>,
  Buffers extends Readonly<Record<string, Access>>,
> {
  readonly name: string;
  /** A whole WGSL module with one entry point, the compute shader `main`; every binding in group 0. */
  readonly code: string;
  /** The defaults that the text states. */
  readonly overrides?: Overrides;
  /** The fields of each uniform's struct, in their order. `step` is `{ first, rows, index: 'u32', learning_rate: 'f32' }`. */
  readonly uniforms?: Uniforms;
  /** The storage buffers. */
  readonly buffers: Buffers;
}

type Defined<Overrides, Uniforms, Buffers> = {
  readonly name: string;
  readonly code: string;
  readonly overrides: Overrides;
  readonly uniforms: {
    readonly [U in keyof Uniforms]: { readonly binding: number; readonly size: number; readonly fields: Uniforms[U] };
  };
  readonly buffers: { readonly [B in keyof Buffers]: { readonly binding: number; readonly access: Buffers[B] } };
};

/**
 * A shader from its text, with names that `program` and `dispatch` check by type. What is declared here must be declared
 * alike in the text, and nothing else there; the binding numbers are taken from it.
 * @throws {MlpError} `bad-shader` that says what differs
 */
export function defineShader<
  const Overrides extends Readonly<Record<string, number | boolean>> = Record<never, never>,
  const Uniforms extends Readonly<Record<string, Readonly<Record<string, Word>>>> = Record<never, never>,
  const Buffers extends Readonly<Record<string, Access>> = Record<never, never>,
>(declaration: ShaderDeclaration<Overrides, Uniforms, Buffers>): Defined<Overrides, Uniforms, Buffers> {
  const { name, code } = declaration;
  const found = declared(code);
  const overrides = declaration.overrides ?? {};
  const uniforms: Readonly<Record<string, Readonly<Record<string, Word>>>> = declaration.uniforms ?? {};
  const claims: Readonly<Record<string, readonly [here: Readonly<Record<string, string>>, there: Stated]>> = {
    override: [mapped(overrides, String), found.overrides],
    uniform: [mapped(uniforms, fieldsText), found.uniforms],
    buffer: [declaration.buffers, found.buffers],
  };
  for (const [kind, [here, there]] of Object.entries(claims)) {
    for (const key of new Set([...Object.keys(here), ...there.keys()])) {
      const [wanted, stated] = [here[key], there.get(key)];
      if (wanted !== undefined && wanted === stated) continue;
      throw new MlpError(
        'bad-shader',
        `defineShader: the ${kind} "${key}" of "${name}" is ${said(wanted)} as declared, and ${said(stated)} in the code; they must agree.`,
      );
    }
  }
  const binding = (key: string): number => found.bindings.get(key) ?? 0;
  // Object.fromEntries forgets which names there are.
  return {
    name,
    code,
    overrides,
    uniforms: mapped(uniforms, (fields, key) => ({
      binding: binding(key),
      // A uniform binding is a whole number of 16 bytes.
      size: Math.ceil(Object.keys(fields).length / 4) * 16,
      fields,
    })),
    buffers: mapped(declaration.buffers, (access, key) => ({ binding: binding(key), access })),
  } as Defined<Overrides, Uniforms, Buffers>;
}

/** By name, what a text says of it. */
type Stated = ReadonlyMap<string, string>;

const said = (value: string | undefined): string => (value === undefined ? 'not there' : `"${value}"`);
const fieldsText = (fields: Readonly<Record<string, Word>>): string =>
  Object.entries(fields)
    .map(([field, type]) => `${field}: ${type}`)
    .join(', ');

function mapped<T, R>(record: Readonly<Record<string, T>>, map: (value: T, key: string) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}

/** The declarations that are found in a text, in words that can be compared. */
function declared(code: string): {
  readonly overrides: Stated;
  readonly uniforms: Stated;
  readonly buffers: Stated;
  readonly bindings: ReadonlyMap<string, number>;
} {
  const program = code.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, ' ');
  const [overrides, uniforms, buffers] = [
    new Map<string, string>(),
    new Map<string, string>(),
    new Map<string, string>(),
  ];
  const bindings = new Map<string, number>();
  for (const [, name = '', literal = ''] of program.matchAll(/\boverride\s+(\w+)\s*(?::\s*\w+\s*)?=\s*([^;]+?)\s*;/g)) {
    const number = Number(literal.replace(/[iuf]$/, ''));
    overrides.set(name, Number.isNaN(number) ? literal : String(number));
  }
  const variable = /@group\(0\)\s*@binding\((\d+)\)\s*var\s*<\s*(\w+)\s*(?:,\s*(\w+)\s*)?>\s*(\w+)\s*:\s*(\w+)/g;
  for (const [, binding, space, access = 'read', name = '', type = ''] of program.matchAll(variable)) {
    bindings.set(name, Number(binding));
    if (space === 'storage') buffers.set(name, access);
    else uniforms.set(name, structText(program, type));
  }
  return { overrides, uniforms, buffers, bindings };
}

/** The fields of a struct as `fieldsText` writes them. */
function structText(program: string, name: string): string {
  const [, body = ''] = new RegExp(`\\bstruct\\s+${name}\\s*{([^}]*)}`).exec(program) ?? [];
  return [...body.matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, field, type]) => `${field}: ${type}`).join(', ');
}
