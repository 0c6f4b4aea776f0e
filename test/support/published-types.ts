import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The entries of package.json, by their declarations. */
const ENTRIES = ['index.d.ts', 'kernels.d.ts'];

/** An ESTree node: the walk is by keys, so its fields are looked at one by one. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** A declaration of a module, as a name of its own has it; overloads are several. */
interface Declaration {
  readonly module: Module;
  readonly name: string;
  /** The statements, `export` included, and the declarations within. */
  readonly nodes: readonly { readonly statement: Node; readonly node: Node }[];
}

/** A name of another module. */
interface Reference {
  readonly module: string;
  readonly name: string;
}

/** A module of the published types. */
interface Module {
  /** Below the folder of declarations. */
  readonly file: string;
  readonly text: string;
  /** Doc comments, by the offset of the character behind the blank space that follows them. */
  readonly docs: ReadonlyMap<number, string>;
  readonly declarations: Map<string, Declaration>;
  /** Names that the module imports, and names that it passes on, as they are called in it and outside of it. */
  readonly imports: Map<string, Reference>;
  readonly exports: Map<string, Reference>;
  /** Modules of which it passes on everything. */
  readonly all: string[];
}

/** Something that the published types lack. */
export interface Lack {
  /** The file of src/, and the line there. */
  readonly file: string;
  readonly line: number;
  /** Path of names, such as `FitOptions.epochs`. */
  readonly name: string;
  readonly lack: string;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Partial<Node>).type === 'string';

/** The nodes right below a node, in the order of their fields. */
const below = (node: Node): readonly Node[] => Object.values(node).flat().filter(isNode);

/** The node in a field, if there is one. */
const at = (node: Node | undefined, field: string): Node | undefined => {
  const value = node?.[field];
  return isNode(value) ? value : undefined;
};

const listAt = (node: Node | undefined, field: string): readonly Node[] => {
  const value = node?.[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
};

/** The text of an identifier or of a string literal. */
const textOf = (node: Node | undefined): string => String(node?.name ?? node?.value ?? '');

/** Runs the compiler, and throws what it prints if it finds an error. */
function tsc(...options: readonly string[]): void {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, ...options], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`tsc ${options.join(' ')}\n${stdout}${stderr}`);
}

/** Emits the declarations of src/ into a folder. */
export function emitDeclarations(folder: string): void {
  tsc('-p', join(root, 'tsconfig.build.json'), '--outDir', folder);
}

/** Compiles an app against a folder of declarations, with nothing else but the platform's types. */
export function compileApp(folder: string, app: string): void {
  const paths = { 'webgpu-mlp': ['./index.d.ts'], 'webgpu-mlp/kernels': ['./kernels.d.ts'] };
  const compilerOptions = {
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2022', 'dom', 'esnext.disposable'],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    paths,
  };
  const config = join(folder, 'tsconfig.json');
  writeFileSync(config, JSON.stringify({ compilerOptions, files: [join(root, app)] }));
  tsc('-p', config);
}

/** Parses a module, and its comments. */
function parse(file: string, text: string): { readonly program: Node; readonly docs: ReadonlyMap<number, string> } {
  const { program, comments, errors } = parseSync(file, text, { lang: file.endsWith('.d.ts') ? 'dts' : 'ts' });
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const docs = new Map<number, string>();
  for (const { type, value, end } of comments) {
    if (type !== 'Block' || !value.startsWith('*')) continue;
    const space = /^\s*/.exec(text.slice(end))?.[0].length ?? 0;
    const lines = value.slice(1).split('\n');
    docs.set(
      end + space,
      lines
        .map((line) => line.replace(/^\s*\* ?/, ''))
        .join('\n')
        .trim(),
    );
  }
  return { program: program as unknown as Node, docs };
}

/** The published types of a folder: modules are read when a name leads to them. */
class PublishedTypes {
  readonly #folder: string;
  readonly #modules = new Map<string, Module>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The modules that have been read. */
  get modules(): readonly Module[] {
    return [...this.#modules.values()];
  }

  module(file: string): Module {
    const known = this.#modules.get(file);
    if (known !== undefined) return known;
    const text = readFileSync(join(this.#folder, file), 'utf8');
    const { program, docs } = parse(file, text);
    const module: Module = {
      file,
      text,
      docs,
      declarations: new Map(),
      imports: new Map(),
      exports: new Map(),
      all: [],
    };
    this.#modules.set(file, module);
    for (const statement of listAt(program, 'body')) addStatement(module, statement);
    return module;
  }

  /** The names that a module exports, with their declarations. */
  exportsOf(file: string): ReadonlyMap<string, Declaration> {
    const module = this.module(file);
    const names = new Map<string, Declaration>();
    for (const other of module.all)
      for (const [name, declaration] of this.exportsOf(other)) names.set(name, declaration);
    for (const name of module.exports.keys()) {
      const declaration = this.exported(file, name);
      if (declaration !== undefined) names.set(name, declaration);
    }
    return names;
  }

  /** The declaration that a module exports by a name. */
  exported(file: string, name: string): Declaration | undefined {
    const module = this.module(file);
    const reference = module.exports.get(name);
    if (reference === undefined) {
      for (const other of module.all) {
        const found = this.exported(other, name);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    return reference.module === file
      ? this.local(module, reference.name)
      : this.exported(reference.module, reference.name);
  }

  /** The declaration that a name has within a module; none of names of the platform. */
  local(module: Module, name: string): Declaration | undefined {
    const imported = module.imports.get(name);
    if (imported !== undefined) return this.exported(imported.module, imported.name);
    return module.declarations.get(name);
  }
}

/** Notes the names that a statement of a module declares, imports or exports. */
function addStatement(module: Module, statement: Node): void {
  const source = at(statement, 'source');
  const from = source && posix.join(dirname(module.file), textOf(source)).replace(/\.js$/, '.d.ts');
  if (statement.type === 'ImportDeclaration') {
    for (const specifier of listAt(statement, 'specifiers')) {
      const imported = at(specifier, 'imported');
      if (from !== undefined && imported !== undefined) {
        module.imports.set(textOf(at(specifier, 'local')), { module: from, name: textOf(imported) });
      }
    }
    return;
  }
  if (statement.type === 'ExportAllDeclaration' && from !== undefined) module.all.push(from);
  for (const specifier of listAt(statement, 'specifiers')) {
    const name = textOf(at(specifier, 'local'));
    module.exports.set(textOf(at(specifier, 'exported')), { module: from ?? module.file, name });
  }
  const isExport = statement.type.startsWith('Export');
  const node = isExport ? at(statement, 'declaration') : statement;
  if (node === undefined) return;
  const declared = node.type === 'VariableDeclaration' ? listAt(node, 'declarations') : [node];
  for (const part of declared) {
    const name = textOf(at(part, 'id'));
    if (name === '') continue;
    const nodes = [...(module.declarations.get(name)?.nodes ?? []), { statement, node: part }];
    module.declarations.set(name, { module, name, nodes });
    if (isExport) module.exports.set(name, { module: module.file, name });
  }
}

/** An optional field states what holds without it. */
const DEFAULT = /default|without|none|if given|undefined|if (?:it is )?(?:missing|absent|left out)/i;

/** An example of an option, such as `epochs: 20`, within backticks. */
const exampleOf = (name: string): RegExp => new RegExp(`\`[^\`]*\\b${name}:`);

/** Everything that the entries export, and what it lacks, by file and line of src/. */
export function lacksOf(folder: string): readonly Lack[] {
  const types = new PublishedTypes(folder);
  const walk = new Walk(types);
  for (const entry of ENTRIES) for (const declaration of types.exportsOf(entry).values()) walk.declaration(declaration);
  return walk.lacks.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.name.localeCompare(b.name));
}

/** The modules that the entries' names lead to. */
export function reachedModules(folder: string): readonly { readonly file: string; readonly text: string }[] {
  const types = new PublishedTypes(folder);
  for (const entry of ENTRIES) types.exportsOf(entry);
  return types.modules.map(({ file, text }) => ({ file, text }));
}

/** Follows declarations to everything that they name, and notes what lacks a word. */
class Walk {
  readonly lacks: Lack[] = [];
  readonly #types: PublishedTypes;
  readonly #seen = new Set<Declaration>();

  constructor(types: PublishedTypes) {
    this.#types = types;
  }

  declaration(declaration: Declaration): void {
    if (this.#seen.has(declaration)) return;
    this.#seen.add(declaration);
    const { module, name, nodes } = declaration;
    const docs = nodes.map(({ statement }) => module.docs.get(statement.start));
    if (docs.includes(undefined))
      this.#lack(module, [name], nodes.length > 1 ? 'docstring of each overload' : 'docstring');
    // An app does not call the errors; the example of the class that they extend has them all.
    const callable = nodes.some(({ node }) => isCallable(node) && textOf(at(node, 'superClass')) !== 'MlpError');
    if (callable && !docs.some((doc) => doc?.includes('@example'))) this.#lack(module, [name], '@example');
    for (const { node } of nodes) {
      if (node.type === 'ClassDeclaration' || node.type === 'TSInterfaceDeclaration') {
        for (const member of listAt(at(node, 'body'), 'body')) this.#member(module, [name], member, node);
        for (const heir of [...listAt(node, 'extends'), ...listAt(node, 'implements')])
          this.#within(module, [name], heir);
        const base = at(node, 'superClass');
        if (base !== undefined) this.#within(module, [name], base);
      } else {
        this.#within(module, [name], node);
      }
    }
  }

  /** Follows a type: members of literals, and declarations that it names. */
  #within(module: Module, path: readonly string[], node: Node): void {
    if (node.type === 'TSTypeLiteral') {
      for (const member of listAt(node, 'members')) this.#member(module, path, member, node);
      return;
    }
    if (node.type === 'TSTypeReference' || node.type === 'TSClassImplements' || node.type === 'TSInterfaceHeritage') {
      const name = textOf(at(node, 'typeName') ?? at(node, 'expression'));
      const declaration = this.#types.local(module, name);
      if (declaration !== undefined) this.declaration(declaration);
    }
    for (const child of below(node)) this.#within(module, path, child);
  }

  #member(module: Module, path: readonly string[], member: Node, owner: Node): void {
    const key = at(member, 'key');
    if (member.accessibility === 'private' || member.accessibility === 'protected') return;
    if (key?.type === 'PrivateIdentifier') return;
    // Index and call signatures are their owner's; `[Symbol.dispose]` and the like are JavaScript's.
    if (key === undefined || member.computed === true) {
      this.#within(module, path, member);
      return;
    }
    const names = [...path, textOf(key)];
    const doc = module.docs.get(member.start) ?? this.#inherited(module, owner, textOf(key));
    // The tag of a union or of a spec has no other meaning.
    const isTag = textOf(key) === 'type';
    if (doc === undefined && !isTag) this.#lack(module, names, 'docstring');
    else if (member.optional === true && !DEFAULT.test(doc ?? '')) this.#lack(module, names, 'default');
    const isOption = path.length === 1 && path[0]?.endsWith('Options') && isField(member);
    if (isOption && !exampleOf(textOf(key)).test(doc ?? '')) this.#lack(module, names, 'example');
    if (isField(member) && member.optional === true && !admitsUndefined(member))
      this.#lack(module, names, '| undefined');
    for (const child of below(member)) this.#within(module, names, child);
  }

  /** The docstring of a member in what a class or an interface extends or implements, as editors show it. */
  #inherited(module: Module, owner: Node, name: string): string | undefined {
    const bases = [...listAt(owner, 'extends'), ...listAt(owner, 'implements')].map((base) => at(base, 'expression'));
    for (const base of [...bases, at(owner, 'superClass')]) {
      const declaration = base && this.#types.local(module, textOf(base));
      for (const { node } of declaration?.nodes ?? []) {
        const same = listAt(at(node, 'body'), 'body').find((member) => textOf(at(member, 'key')) === name);
        const from = declaration?.module ?? module;
        const doc = (same && from.docs.get(same.start)) ?? this.#inherited(from, node, name);
        if (doc !== undefined) return doc;
      }
    }
    return undefined;
  }

  #lack(module: Module, path: readonly string[], lack: string): void {
    const file = `src/${module.file.replace(/\.d\.ts$/, '.ts')}`;
    this.lacks.push({ file, line: lineOf(file, path), name: path.join('.'), lack });
  }
}

const isField = (member: Node): boolean =>
  member.type === 'TSPropertySignature' || member.type === 'PropertyDefinition';

/** True if the type of a member names undefined, which `exactOptionalPropertyTypes` would otherwise refuse. */
function admitsUndefined(member: Node): boolean {
  const type = at(at(member, 'typeAnnotation'), 'typeAnnotation');
  const parts = type?.type === 'TSUnionType' ? listAt(type, 'types') : [type];
  return parts.some((part) => part?.type === 'TSUndefinedKeyword');
}

/** True for functions, for classes, and for constants that are functions. */
function isCallable(node: Node): boolean {
  if (node.type === 'VariableDeclarator') {
    return at(at(at(node, 'id'), 'typeAnnotation'), 'typeAnnotation')?.type === 'TSFunctionType';
  }
  return node.type === 'TSDeclareFunction' || node.type === 'ClassDeclaration';
}

/** The modules of src/ that have been parsed. */
const parsed = new Map<string, { readonly text: string; readonly program: Node }>();

/** The line of src/ where names, each within the one before, are declared. */
function lineOf(file: string, path: readonly string[]): number {
  let source = parsed.get(file);
  if (source === undefined) {
    const text = readFileSync(join(root, file), 'utf8');
    source = { text, program: parse(file, text).program };
    parsed.set(file, source);
  }
  let node: Node | undefined = source.program;
  let start = 0;
  for (const name of path) {
    node = node && find(node, (one) => textOf(at(one, 'id') ?? at(one, 'key')) === name);
    start = node?.start ?? start;
  }
  return source.text.slice(0, start).split('\n').length;
}

/** The first node below a node that a test holds for, from top to bottom. */
function find(node: Node, test: (node: Node) => boolean): Node | undefined {
  for (const child of below(node)) {
    const found = test(child) ? child : find(child, test);
    if (found !== undefined) return found;
  }
  return undefined;
}
