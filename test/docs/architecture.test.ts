import { describe, expect, test } from 'vitest';
import { activationNames } from '../../src/kernels/activations.js';
import { codeOf, FLOORS, filesIn, importsOf, kernelOf, resolved, shaders, sources, textOf } from '../support/tree.js';

const page = textOf('ARCHITECTURE.md');
const everyFile = ['src', 'shaders', 'test', 'docs', 'bench'].flatMap((folder) =>
  filesIn(folder).map((file) => `${folder}/${file}`),
);

/** Something that there is one more of now and then: a layer, a device … */
interface Thing {
  /** In kebab-case, as its files are named. Of a shader, its own name and its kernel's. */
  readonly stems: readonly string[];
  /** As code and pages name it. */
  readonly names: readonly string[];
}

/** A row of the table: patterns of paths, with NAME where the thing's name is. */
interface Row {
  readonly kind: string;
  readonly write: readonly string[];
  readonly lines: readonly string[];
  /** Other files of src/ that may name a thing; of some things alone, if it says which. */
  readonly besides: readonly { readonly names: readonly string[]; readonly files: readonly string[] }[];
}

/** The texts in backticks, paths or not. */
function quoted(cell: string, paths: boolean): string[] {
  const all = [...cell.matchAll(/`([^` ]+)`/g)].map(([, text = '']) => text);
  return all.filter((text) => text.includes('/') === paths);
}

const [, table = ''] = page.split('\n## What to write\n');
const rows = table
  .split('\n## ')[0]
  ?.split('\n')
  .filter((line) => /^\| an? /.test(line))
  .map((line): Row => {
    const [, kind = '', write = '', lines = '', besides = ''] = line.split('|').map((cell) => cell.trim());
    return {
      kind: kind.replace(/^an? /, ''),
      write: quoted(write, true),
      lines: quoted(lines, true),
      besides: besides
        .split(';')
        .map((part) => ({ names: quoted(part, false), files: quoted(part, true) }))
        .filter(({ files }) => files.length > 0),
    };
  });

const capitalised = ([first = '', ...rest]: string): string => first.toUpperCase() + rest.join('');
const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The values of a folder of src/nn that index.ts exports, by their modules. */
function exported(folder: string): Thing[] {
  const statements = codeOf('src/index.ts').matchAll(
    new RegExp(`export \\{([^}]*)\\} from '\\./nn/${folder}/([\\w-]+)\\.js'`, 'g'),
  );
  return [...statements].map(([, list = '', stem = '']) => {
    const names = list.split(',').map((name) => name.trim());
    return { stems: [stem], names: names.filter((name) => name !== '' && !name.startsWith('type ')) };
  });
}

const devices = sources.flatMap((file) =>
  [...codeOf(`src/${file}`).matchAll(/class (\w+) implements [^{]*\bDevice\b/g)].map(([, name = '']) => name),
);
const formats = [...codeOf('src/data/dataset.ts').matchAll(/static async from([A-Z]\w*)/g)].map(
  ([, [first = '', ...rest] = '']) => first.toLowerCase() + rest.join(''),
);

const things: Readonly<Record<string, readonly Thing[]>> = {
  // gelu's tanh form is a row of its own.
  activation: activationNames.filter((name) => name !== 'geluTanh').map((name) => ({ stems: [], names: [name] })),
  kernel: shaders.map((shader) => ({ stems: [shader, kernelOf(shader)], names: [shader, kernelOf(shader)] })),
  layer: exported('layers'),
  loss: exported('losses'),
  optimizer: exported('optimizers'),
  metric: exported('metrics'),
  schedule: exported('schedules'),
  'data format': formats.map((name) => ({ stems: [kebab(name)], names: [name, `from${capitalised(name)}`] })),
  device: devices.map((name) => ({ stems: [kebab(name).slice(1)], names: [name] })),
};

/** A pattern of paths: `*` is any name, `**` any folders. */
function pattern(text: string, { stems }: Thing): RegExp {
  const parts = text.split(/(\*\*\/|\*\*|\*|NAME)/).map((part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    return part === 'NAME' ? `(?:${stems.join('|')})` : part.replaceAll('.', '\\.');
  });
  return new RegExp(`^${parts.join('')}$`);
}
const matching = (texts: readonly string[], thing: Thing): string[] =>
  everyFile.filter((file) => texts.some((text) => pattern(text, thing).test(file)));

const hasWord = (text: string, name: string): boolean => new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(text);

/** The modules that a module of src/ takes more than types of. */
function takenBy(file: string): string[] {
  const types = [
    ...codeOf(`src/${file}`).matchAll(/import (?:type \{[^}]*\}|\{(?:\s*type [^,}]*,?)*\s*\}) from '([^']+)'/g),
  ];
  const typesOnly = types.map(([, name]) => name);
  return importsOf(file)
    .filter((name) => !typesOnly.includes(name))
    .map((name) => `src/${resolved(file, name)}`);
}
const taken = new Map(sources.map((file) => [`src/${file}`, takenBy(file)]));

/** The files of src/ that name a thing: they take something of its modules, or have its name as a string. */
function namersOf(thing: Thing, own: readonly string[], kind: string): string[] {
  const modules = own.filter((file) => file.startsWith('src/'));
  return [...taken]
    .filter(([file, imports]) => {
      if (modules.includes(file)) return false;
      if (imports.some((name) => modules.includes(name))) return true;
      if (kind === 'device') return thing.names.some((name) => new RegExp(`\\b${name}\\b`).test(codeOf(file)));
      // A dispatch has its kernel's name, for plans to print.
      return kind !== 'kernel' && thing.names.some((name) => codeOf(file).includes(`'${name}'`));
    })
    .map(([file]) => file);
}

test('the floors are those of the test of imports', () => {
  const drawn = [...page.matchAll(/^(\d) ([\w.]+) /gm)].map(([, floor, room = '']) => [Number(floor), room] as const);
  const floors = FLOORS.map((_, index) => drawn.filter(([floor]) => floor === index + 1).map(([, room]) => room));
  expect(floors).toEqual(FLOORS);
});

test('paths on the page exist', () => {
  const [before = ''] = page.split('\n## What to write\n');
  const named = [...`${before}${table.split('\n## ').slice(1).join('')}`.matchAll(/`((?:[\w-]+\/)+[\w.-]*)`/g)];
  const paths = named.map(([, path = '']) => path).filter((path) => !/^dist\/|NAME/.test(path));
  expect(paths.length).toBeGreaterThan(20);
  const known = (path: string): boolean =>
    everyFile.some(
      (file) => file === path || file.startsWith(path) || file === `src/${path}` || file.startsWith(`src/${path}`),
    ) || /^(?:demo|examples|tools)\/$/.test(path);
  expect(paths.filter((path) => !known(path))).toEqual([]);
});

test('there is a row for each kind of thing, and there are things of each kind', () => {
  expect(rows?.map(({ kind }) => kind).sort()).toEqual(Object.keys(things).sort());
  for (const [kind, all] of Object.entries(things)) expect(all.length, kind).toBeGreaterThan(0);
});

describe.each(rows ?? [])('what to write for a $kind', ({ kind, write, lines, besides }) => {
  const all = things[kind] ?? [];

  test.each(all)('$names: the files and the lines that the table says, and no others', (thing) => {
    expect(
      write.filter((path) => matching([path], thing).length === 0),
      'files that are not there',
    ).toEqual([]);
    const without = lines.filter((path) => {
      const files = matching([path], thing);
      return ![...thing.names, ...thing.stems].some((name) => files.some((file) => hasWord(textOf(file), name)));
    });
    expect(without, 'files without a line').toEqual([]);
    const own = matching(write, thing);
    const allowed = besides.filter(
      ({ names }) => names.length === 0 || names.some((name) => thing.names.includes(name)),
    );
    const listed = matching([...write, ...lines, ...allowed.flatMap(({ files }) => files)], thing);
    expect(
      namersOf(thing, own, kind).filter((file) => !listed.includes(file)),
      'files of src/ that name it, and are not in the row',
    ).toEqual([]);
  });

  test('says of no other file that it names one', () => {
    const idle = besides.flatMap(({ names, files }) =>
      files.filter((path) => {
        const named = all.filter((thing) => names.length === 0 || names.some((name) => thing.names.includes(name)));
        return !named.some((thing) => {
          const namers = namersOf(thing, matching(write, thing), kind);
          return matching([path], thing).some((file) => namers.includes(file));
        });
      }),
    );
    expect(idle).toEqual([]);
    const known = new Set(all.flatMap((thing) => thing.names));
    expect(besides.flatMap(({ names }) => names).filter((name) => !known.has(name))).toEqual([]);
  });
});
