import { parseHTML } from 'linkedom';

// Common parts of the pictures in docs/: a sheet with a legend above a plot, which follows the page's light or dark theme.

/** A document in which Plot creates its elements without a browser. */
export function plotDocument(): Document {
  return parseHTML('<!doctype html><html><body></body></html>').document;
}

/** Style of grid and frame. */
export const RULE = { stroke: 'var(--rule)', strokeOpacity: 1 } as const;

export const WIDTH = 880;
const LEGEND = 34;

/** A class of lines: its style in the light and dark theme, and its text in the legend. */
export interface Series {
  readonly name: string;
  readonly light: string;
  readonly dark: string;
  /** Style in both themes, such as width and dashes. */
  readonly style: string;
  readonly text: string;
  /** Left edge of its entry in the legend. */
  readonly x: number;
}

/** Blue, vermilion and green of Okabe and Ito, lighter in the dark theme. */
export const BLUE = { light: '#0072b2', dark: '#56b4e9' } as const;
export const VERMILION = { light: '#d55e00', dark: '#e69f00' } as const;
export const GREEN = { light: '#00805d', dark: '#3fcf9f' } as const;
export const GREY = { light: '#6b7a71', dark: '#93a59b' } as const;

/**
 * A picture as SVG. The class of a line in the plot is the name of its series.
 * @param plot the result of Plot.plot, WIDTH wide
 */
export function sheet(
  plot: Element,
  { height, label, series }: { readonly height: number; readonly label: string; readonly series: readonly Series[] },
): string {
  const strokes = (of: 'light' | 'dark', indent: string): string[] =>
    series.map((each) => `${indent}.${each.name} { stroke: ${each[of]}; }`);
  const style = [
    '.sheet { fill: #fcfefc; }',
    '.plot { --rule: #c4dccf; color: #15211a; font: 13px system-ui, sans-serif; }',
    '.legend { fill: #15211a; font: 14px system-ui, sans-serif; }',
    ...series.map(({ name, style: own }) => `.${name} { stroke-width: 2; fill: none;${own && ` ${own}`} }`),
    ...strokes('light', ''),
    '@media (prefers-color-scheme: dark) {',
    '  .sheet { fill: #141d19; }',
    '  .plot { --rule: #2b4036; color: #e8f0eb; }',
    '  .legend { fill: #e8f0eb; }',
    ...strokes('dark', '  '),
    '}',
  ];
  const entry = ({ x, name, text }: Series): string =>
    `<path class="${name}" d="M${x},18h34"></path><text class="legend" x="${x + 42}" y="23">${text}</text>`;
  const all = height + LEGEND;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${all}" width="${WIDTH}" height="${all}" role="img" aria-label="${label}">`,
    `<style>\n${style.join('\n')}\n</style>`,
    `<rect class="sheet" width="${WIDTH}" height="${all}" rx="8"></rect>`,
    ...series.map(entry),
    `<g transform="translate(0, ${LEGEND})">`,
    plot.outerHTML
      .replace('<svg ', '<svg aria-hidden="true" ')
      .replace('height: auto;', '')
      .replace('height: intrinsic;', ''),
    '</g>',
    '</svg>\n',
  ].join('\n');
}
