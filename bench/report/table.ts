import { table } from '../../src/gpu/plan.js';
import type { Report, Result } from '../case.js';

function digits(value: number | undefined): string {
  if (value === undefined) return '';
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}

const percent = (share: number | undefined): string => (share === undefined ? '' : `${(100 * share).toFixed(0)} %`);

/** The best of a case among the others, as a ratio to this result: above 1 this one is the fastest. */
function ratio({ ratio: ratios }: Result): string {
  return ratios === undefined ? '' : digits(Math.min(...Object.values(ratios)));
}

function row(result: Result): string[] {
  const { contender, median, p25, p75, gflops, gbps, shareOfPeak, bound, compileMs, value, unit, error } = result;
  const name = `${result.case}: ${contender}${result.chosen === true ? ' *' : ''}`;
  if (error !== undefined) return [name, `failed: ${error}`];
  const figure = value === undefined ? '' : `${digits(value)} ${unit ?? ''}`;
  const spread = `${digits(p25)}–${digits(p75)}`;
  const share = `${percent(shareOfPeak)} ${bound ?? ''}`.trim();
  return [name, digits(median), spread, digits(gflops), digits(gbps), share, figure, digits(compileMs), ratio(result)];
}

/** The report as text: a heading, and a line a result. */
export function textTable({ results, environment, date, settings, commit }: Report): string {
  const { adapter, runtime, cpu } = environment;
  const names = [adapter.vendor, adapter.architecture, adapter.description].filter((name) => name !== '').join(' ');
  const heading = [
    `${names || 'unnamed adapter'}${adapter.software ? ' (software)' : ''}, ${runtime}${cpu === undefined ? '' : `, ${cpu}`}`,
    `${date}, commit ${commit}${settings.quick ? ', quick: few and short samples, for a look and not for a claim' : ''}`,
  ];
  const columns = [
    'case',
    'ms',
    'quartiles',
    'GFLOP/s',
    'GB/s',
    'of the peak',
    'figure',
    'compile ms',
    '× the best other',
  ];
  return `${heading.join('\n')}\n\n${table(columns, results.map(row))}\n\n* what the library takes on this adapter\n`;
}
