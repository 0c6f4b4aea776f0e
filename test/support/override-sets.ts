import { type ActivationRowName, activationTable } from '../../src/kernels/activations.js';
import { type MatmulProblem, matmulPrograms } from '../../src/kernels/matmul/variants.js';
import { softwarePrograms } from '../../src/kernels/software/quad.js';
import type { Shader } from '../../src/plan/shader.js';

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

/** The epilogues of a matmul: plain, or bias and activation with or without its pre-activation, or an activation gradient. */
const epilogues: Overrides[] = [
  {},
  ...rows.flatMap((_, ACTIVATION) => [
    { BIAS: true, ACTIVATION },
    { BIAS: true, ACTIVATION, KEEP: true },
    { ACTIVATION_GRADIENT: true, ACTIVATION },
  ]),
];

/** Independent overrides, each of which omits one part of the shader. */
const APART =
  /^(?:EDGE_[MNK]|VEC4_C|BANDS|GATHERED|BYTES|WHOLE|CHECKED|CLIP_VALUE|CLIP_NORM|DECAY_WEIGHTS|FINISH|LONG|RUNS)$/;

/** A batch read from a data set of bytes or of floats, as the first operand or in the first layer's dW. */
const gathered = combinations(['TRANSPOSE_A', 'BYTES', 'VEC4_B']).map((set) => ({
  ...set,
  GATHERED: true,
  VEC4_A: true,
}));

/** A matmul of whole vec4s, neither operand transposed, with nothing in its epilogue; without its sizes. */
export const plainProblem: Omit<MatmulProblem, 'M' | 'N' | 'K'> = {
  transposeA: false,
  transposeB: false,
  onesRow: false,
  vec4A: true,
  vec4B: true,
  vec4C: true,
  gathered: false,
  bytes: false,
  epilogue: { BIAS: false, ACTIVATION_GRADIENT: false, KEEP: false, ACTIVATION: 0, ALPHA: 0 },
};

/** Override sets of a shader in the table of variants, for few rows and for many. */
function programs(name: string): Overrides[] {
  return [1, 4, 8, 4096]
    .flatMap((M) => matmulPrograms({ M, N: 4096, K: 4096, ...plainProblem }, softwarePrograms))
    .filter(({ shader }) => shader.name === name)
    .map((program) => program.overrides);
}

/** All the workgroup memory that a device is sure to have, 16 KiB, and all the layers. */
const LARGEST: Overrides = { LAYERS: 8, SIZE_8: 2, VALUES: 2064, GRADIENTS: 2032 };

/** Labels and bias, outputs, and sizes for 1 to 64 classes, each varied with the others fixed. */
function heads(): Overrides[] {
  const all = { BACKWARD: true, BELOW: true };
  const quads = Array.from({ length: 16 }, (_, i) => i + 1);
  return [
    ...combinations(['PROBABILITIES', 'BIAS']).flatMap((set) => [set, { ...set, BACKWARD: true }, { ...set, ...all }]),
    ...rows.map((_, ACTIVATION) => ({ ...all, ACTIVATION_GRADIENT: true, ACTIVATION })),
    { ...all, PAIRS: true },
    ...quads.flatMap((quad) => [
      ...(quad <= 4 ? [{ ...all, GROUPS: quad }] : []),
      { ...all, GROUPS: quad <= 3 ? quad : 2, CHUNKS: quad <= 3 ? 1 : Math.ceil(quad / 2), SLICES: 64, BLOCKS: 1 },
    ]),
  ];
}

/** Sums of a loss with low parts, and sums over many classes or columns. */
const sums = combinations(['PAIRS', 'LONG']);

/** The override sets that the library can ask of a shader. */
export function overrideSets({ name, overrides }: Shader): Overrides[] {
  const flags = Object.entries(overrides)
    .filter(
      ([key, value]) =>
        typeof value === 'boolean' && !['BIAS', 'ACTIVATION_GRADIENT', 'KEEP', 'BACKWARD'].includes(key),
    )
    .map(([key]) => key);
  const layouts = combinations(flags.filter((flag) => !APART.test(flag)));
  const apart = flags.filter((flag) => APART.test(flag)).map((flag) => ({ [flag]: overrides[flag] !== true }));
  if (name.startsWith('matmul-')) {
    // Every layout with a plain epilogue, and every epilogue and every tile with the first layout.
    const inParts = overrides.PARTS === undefined ? [] : [{ PARTS: 2 }, { PARTS: 12, SLICES: 4, TILE_K: 8 }];
    return [...layouts, ...apart, ...gathered, ...epilogues, ...programs(name), ...inParts];
  }
  if (name === 'dense-head') return heads();
  if (name === 'weight-update') {
    const tiles = programs('matmul-quad').map(({ K_TAIL, LARGE, TALL }) => ({ K_TAIL, LARGE, TALL }) as Overrides);
    const layouts = combinations(['ONES_ROW', 'VEC4_A', 'VEC4_B', 'VEC4_C', 'CHECKED', 'MOMENTUM', 'NESTEROV']);
    const sets = [...layouts, ...tiles, ...gathered];
    return sets.map((set) => ({ ...set, TRANSPOSE_A: true }));
  }
  if (name === 'bias-activation') {
    return rows.flatMap((_, ACTIVATION) => [
      { ACTIVATION },
      { ACTIVATION, BIAS: true },
      { ACTIVATION, BACKWARD: true },
    ]);
  }
  if (name === 'learned-activation') {
    return combinations(['SWISH', 'SHARED']).flatMap((set) => [set, { ...set, BACKWARD: true }]);
  }
  if (name === 'maxout') return combinations(['BACKWARD']);
  if (name === 'elementwise-loss') {
    const flags = ['INDICES', 'GATHERED', 'SAMPLE_WEIGHTS', 'POSITIVE_WEIGHTS'];
    const sets = [...combinations(flags), ...sums];
    return [0, 1, 2, 3, 4].flatMap((LOSS) => sets.map((set) => ({ ...set, LOSS, DELTA: 0.5 })));
  }
  if (name === 'class-counts') {
    return [0, 1, 5].flatMap((TOP_K) =>
      combinations(['LOGISTIC', 'PROBABILITIES', 'GATHERED']).map((set) => ({ ...set, TOP_K })),
    );
  }
  if (name === 'softmax-cross-entropy') {
    const sets = combinations(['PROBABILITIES', 'GATHERED', 'SAMPLE_WEIGHTS', 'CLASS_WEIGHTS']);
    return [...sets.flatMap((set) => [set, { ...set, SMOOTHING: 0.1 }]), ...sums];
  }
  if (name === 'score-counts') return combinations(['LOGISTIC', 'PROBABILITIES', 'GATHERED']);
  if (name === 'value-sums') return combinations(['GATHERED']);
  if (overrides.ACTIVATION_GRADIENT !== undefined || overrides.SLICES !== undefined) {
    // Every layout, every activation and every activation gradient, and the slices that a GPU takes.
    const derivatives = rows.map((_, ACTIVATION) => ({
      ACTIVATION,
      ...(overrides.ACTIVATION_GRADIENT === undefined ? {} : { ACTIVATION_GRADIENT: true }),
    }));
    const sliced = layouts.map((set) => ({ ...set, SUMS: 16, SLICES: 16 }));
    return [
      ...layouts,
      ...apart,
      ...(name === 'add' ? rows.map((_, ACTIVATION) => ({ ACTIVATION, KEEP: true })) : []),
      ...(overrides.ACTIVATION === undefined ? [] : derivatives),
      ...(overrides.SLICES === undefined ? [] : sliced),
    ];
  }
  if (name === 'train-tiny') return [...layouts, ...rows.map((_, ACTIVATION) => ({ ACTIVATION, THREADS: 4 })), LARGEST];
  return [...layouts, ...(name === 'sgd' || name === 'gather-rows' ? [] : apart)];
}
