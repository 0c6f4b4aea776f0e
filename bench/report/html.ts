import { parseHTML } from 'linkedom';
import type { Report } from '../case.js';
import { plots, STYLE } from './plots.js';
import { adapterName, origin } from './view.js';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="icon" href="data:,">
    <title></title>
    <style>
      html { color-scheme: light dark; background: #edf3ee; }
      @media (prefers-color-scheme: dark) { html { background: #0d1411; } }
      body { margin: 0 auto; max-width: 80rem; padding: 1rem; }
    </style>
  </head>
  <body><main class="bench-report"><h1>webgpu-mlp bench</h1></main></body>
</html>
`;

/** The report as a self-contained HTML page. */
export function htmlReport(report: Report): string {
  const { document } = parseHTML(PAGE);
  document.title = `webgpu-mlp bench: ${adapterName(report)}`;
  const style = document.createElement('style');
  style.textContent = STYLE;
  document.head.append(style);
  const main = document.querySelector('main');
  for (const line of origin(report)) {
    const paragraph = document.createElement('p');
    paragraph.textContent = line;
    main?.append(paragraph);
  }
  main?.append(plots(report, document));
  return `${document.toString()}\n`;
}
