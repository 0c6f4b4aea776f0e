//! uses step
// Gathers a mini-batch: rows of the resident data set, converted to f32 and normalised, with their labels.
//
//   X[b, c] = f32(data[row(b), c]) · scale[c] + shift[c]         row(b) = order[step.first + b]
//   Y[b, w] = labels[row(b), w]                                  words are copied as they are: indices or f32 bits
//
//   data           u8 (samples, columns) packed four to a word if BYTES, else f32 bits    read
//   labels         u32 (samples, words)                                                   read
//   order          u32 (samples)        row numbers in the order of this epoch            read
//   normalization  vec2f (columns)      scale and shift of each feature                   read
//   X              f32 (batch, columns)                                                   written, every element
//   Y              u32 (batch, words)                                                     written, every element
//
// One invocation converts four neighbouring columns of a row. ALIGNED says that columns is a multiple of four, so that the four
// bytes are one word. Dispatch ⌈⌈columns/4⌉/64⌉ × batch workgroups.
// Rows beyond the end of the data (b ≥ step.rows) repeat the last valid row of the batch; the loss gives them no gradient.
// Error: bytes convert exactly; one multiplication and one addition, |error| ≤ 2u·(|x·scale| + |shift|), u = 2⁻²³.

override BYTES: bool = false;
override ALIGNED: bool = false;

struct Dims { columns: u32, words: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> data: array<u32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read> order: array<u32>;
@group(0) @binding(5) var<storage, read> normalization: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> X: array<f32>;
@group(0) @binding(7) var<storage, read_write> Y: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3u) {
  let b = global.y;
  let row = order[step.first + min(b, step.rows - 1)];
  let column = global.x * 4;
  if (column >= dims.columns) { return; }
  let source = row * dims.columns + column;
  let target_index = b * dims.columns + column;
  if (BYTES && ALIGNED) {
    let word = data[source >> 2];
    for (var lane = 0u; lane < 4; lane++) {
      X[target_index + lane] = normalized(f32((word >> (lane * 8)) & 0xff), column + lane);
    }
  } else {
    for (var lane = 0u; lane < 4; lane++) {
      if (column + lane < dims.columns) {
        X[target_index + lane] = normalized(element(source + lane), column + lane);
      }
    }
  }
  if (global.x == 0) {
    for (var word = 0u; word < dims.words; word++) { Y[b * dims.words + word] = labels[row * dims.words + word]; }
  }
}

fn element(index: u32) -> f32 {
  if (BYTES) { return f32((data[index >> 2] >> ((index & 3) * 8)) & 0xff); }
  return bitcast<f32>(data[index]);
}

fn normalized(value: f32, column: u32) -> f32 {
  let scale_shift = normalization[column];
  return value * scale_shift.x + scale_shift.y;
}
