import type { Report } from '../case.js';
import type { Progress, Wanted } from '../run.js';

/** Events that the page sends to bench/cli.mjs or, inside a frame, to its parent page. */
export type BenchEvent =
  | ({ readonly type: 'progress' } & Progress)
  | { readonly type: 'report'; readonly report: Report }
  | { readonly type: 'cold'; readonly ms: number }
  | { readonly type: 'error'; readonly message: string; readonly usage: boolean };

declare global {
  /** Defined by bench/cli.mjs. */
  var reportBench: ((event: BenchEvent) => void) | undefined;
  var measureCold: ((caseName: string, contender: string) => Promise<number>) | undefined;
}

const query = new URLSearchParams(location.search);
const framed = window.parent !== window;

function tell(event: BenchEvent): void {
  if (globalThis.reportBench !== undefined) globalThis.reportBench(event);
  else if (framed) window.parent.postMessage(event, location.origin);
}

const wantedBy = (values: { get(name: string): unknown }): Wanted => ({
  only: String(values.get('only') ?? ''),
  quick: values.get('quick') !== null,
  full: values.get('full') !== null,
  peers: values.get('peers') !== null,
});

/** Measures a first step in a new frame, the closest to a fresh page that a page can create. */
function coldInFrame(caseName: string, contender: string, peers: boolean): Promise<number> {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.src = `?${new URLSearchParams({ cold: caseName, contender, ...(peers ? { peers: '' } : {}) })}`;
  return new Promise<number>((resolve, reject) => {
    const hear = ({ data, source }: MessageEvent<BenchEvent>): void => {
      if (source !== frame.contentWindow || (data.type !== 'cold' && data.type !== 'error')) return;
      removeEventListener('message', hear);
      frame.remove();
      if (data.type === 'cold') resolve(data.ms);
      else reject(new Error(data.message));
    };
    addEventListener('message', hear);
    document.body.append(frame);
  });
}

function browser(): string {
  const [, name = 'Chrome', version = ''] = /(Edg|Firefox|Chrome|Version)\/([\d.]+)/.exec(navigator.userAgent) ?? [];
  return `${name === 'Version' ? 'Safari' : name} ${version}`.trim();
}

async function measure(wanted: Wanted, progress: (step: Progress) => void): Promise<Report> {
  const [{ Gpu }, { runBench }] = await Promise.all([import('../../src/index.js'), import('../run.js')]);
  return await runBench(wanted, {
    runtime: browser(),
    requestGpu: () => Gpu.request({ powerPreference: 'high-performance' }),
    cold: (name, contender) => globalThis.measureCold?.(name, contender) ?? coldInFrame(name, contender, wanted.peers),
    progress,
  });
}

/** Measures one first step, and reports it to bench/cli.mjs or the parent page. */
async function cold(caseName: string): Promise<void> {
  const { timeFirstStep } = await import('../cold.js');
  const ms = await timeFirstStep(caseName, query.get('contender') ?? '', query.has('peers'));
  tell({ type: 'cold', ms });
}

/** Measures all selected cases for bench/cli.mjs. */
async function driven(): Promise<void> {
  const report = await measure(wantedBy(query), (step) => tell({ type: 'progress', ...step }));
  tell({ type: 'report', report });
}

function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page has no ${kind.name} "${id}".`);
  return element;
}

/** Sets up the form, for use without bench/cli.mjs. */
function interactive(): void {
  const form = byId('form', HTMLFormElement);
  const status = byId('status', HTMLParagraphElement);
  const download = byId('download', HTMLButtonElement);
  const main = byId('report', HTMLElement);
  const button = form.querySelector('button');
  let shown: Report | undefined;
  const run = async (): Promise<void> => {
    if (button !== null) button.disabled = true;
    try {
      const report = await measure(wantedBy(new FormData(form)), ({ done, total, name }) => {
        status.textContent = name === '' ? 'Done.' : `${done + 1} of ${total}: ${name}`;
      });
      const { showReport } = await import('../report/index.js');
      main.replaceChildren();
      showReport(main, report);
      shown = report;
      download.hidden = false;
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      if (button !== null) button.disabled = false;
    }
  };
  download.addEventListener('click', () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([JSON.stringify(shown, null, 1)], { type: 'application/json' }));
    link.download = 'bench.json';
    link.click();
    URL.revokeObjectURL(link.href);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void run();
  });
}

const caseName = query.get('cold');
const work = caseName !== null ? cold(caseName) : query.has('driven') ? driven() : undefined;
if (work === undefined) interactive();
else {
  work.catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    // Not instanceof: the class of usage errors is in a module that may not be loaded.
    tell({ type: 'error', message, usage: error instanceof Error && 'usage' in error });
  });
}
