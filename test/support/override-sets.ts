import { type ActivationRowName, activationTable } from '../../src/activations.js';
import type { Shader } from '../../src/gpu/shader.js';

type Overrides = Readonly<Record<string, number | boolean>>;

const rows = Object.keys(activationTable) as ActivationRowName[];
const booleans = [false, true];

/** Every combination of the boolean overrides that are named. */
function combinations(names: readonly string[]): Overrides[] {
  return names.reduce<Overrides[]>(
    (sets, name) => sets.flatMap((set) => booleans.map((value) => ({ ...set, [name]: value }))),
    [{}],
  );
}

/** The epilogues of a product: plain, or bias and activation with or without its pre-activation, or a gate. */
const epilogues: Overrides[] = [
  {},
  ...rows.flatMap((_, ACTIVATION) => [
    { BIAS: true, ACTIVATION },
    { BIAS: true, ACTIVATION, KEEP: true },
    { GATE: true, ACTIVATION },
  ]),
];

/** The override sets that the library can ask of a shader. */
export function overrideSets({ name, overrides }: Shader): Overrides[] {
  const flags = Object.entries(overrides)
    .filter(([key, value]) => typeof value === 'boolean' && !['BIAS', 'GATE', 'KEEP', 'BACKWARD'].includes(key))
    .map(([key]) => key);
  const layouts = combinations(flags);
  if (name.startsWith('matmul-')) {
    // Every layout with a plain epilogue, and every epilogue with the first layout.
    return [...layouts, ...epilogues];
  }
  if (name === 'bias-activation') {
    return rows.flatMap((_, ACTIVATION) => [
      { ACTIVATION },
      { ACTIVATION, BIAS: true },
      { ACTIVATION, BACKWARD: true },
    ]);
  }
  return layouts;
}
