import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../tools/install.mjs';
import { brokenLinks } from '../support/markdown.js';
import { packedFiles } from '../support/package.js';
import { textOf } from '../support/tree.js';

const { repository } = JSON.parse(textOf('package.json')) as { readonly repository?: unknown };
const packed = packedFiles();

const inTree = (path: string): boolean => existsSync(join(root, path)) && statSync(join(root, path)).isFile();
/**
 * npm shows a README whose package has no repository with its links as they are: then their targets are in the package. Where
 * there is a repository, npm makes them links to that.
 */
const isPublished = (path: string): boolean => (repository === undefined ? packed.includes(path) : inTree(path));

const isPage = (path: string): boolean => /^(?:docs\/)?[^/]+\.md$/.test(path);
const pages = ['', 'docs/'].flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}${name}`));

describe.each([
  { where: 'the repository', paths: pages.filter(isPage), exists: inTree },
  { where: 'the package', paths: packed.filter(isPage), exists: isPublished },
])('in $where', ({ paths, exists }) => {
  test.each(paths)('every relative link of %s leads to a file and a heading', (path) => {
    expect(brokenLinks(path, (each) => (exists(each) ? textOf(each) : undefined))).toEqual([]);
  });

  test('there are a README, and pages in docs', () => {
    expect(paths).toContain('README.md');
    expect(paths.some((path) => path.startsWith('docs/'))).toBe(true);
  });
});

test('a missing file, a missing heading and a missing image are broken links; code and other addresses are not', () => {
  const pages: Readonly<Record<string, string>> = {
    'docs/a.md': [
      '# A `b`, c!',
      '[ok](../README.md#a-title) [ok](#a-b-c) [ok](https://example.org/none.md) `[code](none.md)`',
      '```md\n[code](none.md)\n```',
      '[file](none.md) [heading](../README.md#none) ![image](none.png) <img src="none.svg">',
    ].join('\n'),
    'README.md': '# A title\n',
  };
  expect(brokenLinks('docs/a.md', (path) => pages[path])).toEqual([
    'none.md',
    '../README.md#none',
    'none.png',
    'none.svg',
  ]);
});
