/** The code blocks of a language on a page, in their order. */
export const codeBlocks = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, block = '']) => block);

const withoutBlocks = (page: string): string => page.replaceAll(/^```[\s\S]*?^```$/gm, '');

/** The targets of a page's links and images, except those inside code. */
export function linksOf(page: string): string[] {
  const text = withoutBlocks(page).replaceAll(/`[^`\n]*`/g, '``');
  const targets = text.matchAll(/\]\(([^)\s]+)[^)]*\)|(?:src|href)="([^"]+)"|^\[[^\]]+\]:\s*(\S+)/gm);
  return [...targets].map(([, inline, attribute, reference]) => inline ?? attribute ?? reference ?? '');
}

/** The anchors that GitHub and npm give to a page's headings. */
export function anchorsOf(page: string): string[] {
  const headings = [...withoutBlocks(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/**
 * The relative links of a page that lead nowhere.
 * @param path of the page, from the root
 * @param textOf a file's text by its path from the root; undefined if there is no such file
 */
export function brokenLinks(path: string, textOf: (path: string) => string | undefined): string[] {
  return linksOf(textOf(path) ?? '').filter((link) => {
    if (/^[a-z]+:/i.test(link)) return false;
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? path : decodeURI(new URL(file, `file:///${path}`).pathname.slice(1));
    const text = textOf(target);
    return text === undefined || (anchor !== undefined && !anchorsOf(text).includes(anchor));
  });
}
