import { MlpError } from '../base/errors.js';

/** Type of a field of a uniform struct, a 32-bit word. */
export type Word = 'u32' | 'f32';
/** Access of a shader to a storage buffer. */
export type Access = 'read' | 'read_write';

/** WGSL module and its declarations. `defineShader` makes one from a string; this library's come from .wgsl files. */
export interface Shader {
  /** Name of the shader, for plans, profiles and messages. */
  readonly name: string;
  /** WGSL code of the module; its entry point is `main`. */
  readonly code: string;
  /**
   * @internal True for shaders of this library, which may be compiled in an equivalent form: on software adapters,
   * without the branches that overrides disable. Without it, as for all shaders of `defineShader`, the code is compiled
   * exactly as written.
   */
  readonly library?: boolean;
  /** Default value of each override, as the code declares it. */
  readonly overrides: Readonly<Record<string, number | boolean>>;
  /** Uniforms by name, each a struct of words. */
  readonly uniforms: Readonly<
    Record<
      string,
      {
        /** Number of the binding in group 0. */
        readonly binding: number;
        /** Size in bytes, a multiple of 16. */
        readonly size: number;
        /** Type of each field, in their order. */
        readonly fields: Readonly<Record<string, Word>>;
      }
    >
  >;
  /** Storage buffers by name. */
  readonly buffers: Readonly<
    Record<
      string,
      {
        /** Number of the binding in group 0. */
        readonly binding: number;
        /** Access mode. */
        readonly access: Access;
        /** WGSL type. Default: unknown. */
        readonly type?: string | undefined;
      }
    >
  >;
}

/** Argument of `defineShader`: the code of a shader, and the names that it declares. */
export interface ShaderDeclaration<
  Overrides extends Readonly<Record<string, number | boolean>>,
  Uniforms extends Readonly<Record<string, Readonly<Record<string, Word>>>>,
  Buffers extends Readonly<Record<string, Access>>,
> {
  /** Name of the shader, for plans, profiles and messages. */
  readonly name: string;
  /** Complete WGSL module with one entry point, the compute shader `main`. All bindings are in group 0. */
  readonly code: string;
  /** Default value of each override, equal to the one in the code. Default: no overrides. */
  readonly overrides?: Overrides | undefined;
  /**
   * Type of each field of each uniform's struct, in their order. A uniform `step` has the fields `first`, `rows` and
   * `index` of type `u32`, and `learning_rate` of type `f32`. Default: no uniforms.
   */
  readonly uniforms?: Uniforms | undefined;
  /** Access mode of each storage buffer. */
  readonly buffers: Buffers;
}

/** Shader whose names TypeScript knows. */
type Defined<Overrides, Uniforms, Buffers> = {
  /** Name of the shader. */
  readonly name: string;
  /** WGSL code of the module. */
  readonly code: string;
  /** Default value of each override. */
  readonly overrides: Overrides;
  /** Binding, size in bytes and fields of each uniform. */
  readonly uniforms: {
    readonly [U in keyof Uniforms]: {
      /** Number of the binding in group 0. */
      readonly binding: number;
      /** Size in bytes, a multiple of 16. */
      readonly size: number;
      /** Type of each field, in their order. */
      readonly fields: Uniforms[U];
    };
  };
  /** Binding and access mode of each storage buffer. */
  readonly buffers: {
    readonly [B in keyof Buffers]: {
      /** Number of the binding in group 0. */
      readonly binding: number;
      /** Access mode. */
      readonly access: Buffers[B];
    };
  };
};

/**
 * Makes a shader from WGSL code. The declaration repeats the names in the code, so that TypeScript can check the
 * arguments of `program` and `dispatch`; both must have the same overrides, uniforms and buffers. Binding numbers are
 * taken from the code.
 * @throws {MlpError} `bad-shader` if the declaration and the code differ; the message states the first difference
 * @example
 * // code has: var<storage, read_write> x: array<f32>;
 * const negate = defineShader({ name: 'negate', code, buffers: { x: 'read_write' } });
 */
export function defineShader<
  const Overrides extends Readonly<Record<string, number | boolean>> = Record<never, never>,
  const Uniforms extends Readonly<Record<string, Readonly<Record<string, Word>>>> = Record<never, never>,
  const Buffers extends Readonly<Record<string, Access>> = Record<never, never>,
>(declaration: ShaderDeclaration<Overrides, Uniforms, Buffers>): Defined<Overrides, Uniforms, Buffers> {
  const { name, code } = declaration;
  const found = parseDeclarations(code);
  const overrides = declaration.overrides ?? {};
  const uniforms: Readonly<Record<string, Readonly<Record<string, Word>>>> = declaration.uniforms ?? {};
  const claims: Readonly<Record<string, readonly [declared: Readonly<Record<string, string>>, parsed: Parsed]>> = {
    override: [mapValues(overrides, String), found.overrides],
    uniform: [mapValues(uniforms, fieldsText), found.uniforms],
    buffer: [declaration.buffers, found.buffers],
  };
  for (const [kind, [declared, parsed]] of Object.entries(claims)) {
    for (const key of new Set([...Object.keys(declared), ...parsed.keys()])) {
      const [wanted, actual] = [declared[key], parsed.get(key)];
      if (wanted !== undefined && wanted === actual) continue;
      throw new MlpError(
        'bad-shader',
        `defineShader: the ${kind} "${key}" of "${name}" is ${quoted(wanted)} in the declaration, but ${quoted(actual)} in the code; they must agree.`,
      );
    }
  }
  const binding = (key: string): number => found.bindings.get(key) ?? 0;
  // The cast restores the names, which the type of Object.fromEntries loses.
  return {
    name,
    code,
    overrides,
    uniforms: mapValues(uniforms, (fields, key) => ({
      binding: binding(key),
      // The size of a uniform binding is a multiple of 16 bytes.
      size: Math.ceil(Object.keys(fields).length / 4) * 16,
      fields,
    })),
    buffers: mapValues(declaration.buffers, (access, key) => ({ binding: binding(key), access })),
  } as Defined<Overrides, Uniforms, Buffers>;
}

/** Declarations in the code: for each name, its declaration as a string that can be compared. */
type Parsed = ReadonlyMap<string, string>;

/** Formats a declaration for messages. */
const quoted = (value: string | undefined): string => (value === undefined ? 'missing' : `"${value}"`);
/** Formats the fields of a struct: `rows: u32, columns: u32`. */
const fieldsText = (fields: Readonly<Record<string, Word>>): string =>
  Object.entries(fields)
    .map(([field, type]) => `${field}: ${type}`)
    .join(', ');

/** Maps the values of a record. */
function mapValues<T, R>(record: Readonly<Record<string, T>>, map: (value: T, key: string) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}

/** Finds the declarations of overrides, uniforms and buffers in WGSL code, and the numbers of the bindings. */
function parseDeclarations(code: string): {
  readonly overrides: Parsed;
  readonly uniforms: Parsed;
  readonly buffers: Parsed;
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

/** Finds the fields of a struct, formatted as by `fieldsText`. */
function structText(program: string, name: string): string {
  const [, body = ''] = new RegExp(`\\bstruct\\s+${name}\\s*{([^}]*)}`).exec(program) ?? [];
  return [...body.matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, field, type]) => `${field}: ${type}`).join(', ');
}
