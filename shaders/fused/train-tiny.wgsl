//! uses activations
//! uses row-loss
//! uses compensated
//! uses step
//! uses finite
// A small network in one dispatch: consecutive steps of training by one workgroup; or the evaluation (without UPDATE) or
// prediction (without LOSS) of as many batches.
//
//   A run is rows step.first … step.first + step.rows − 1 of `order`. It is cut into batches of BATCH rows; the last one may
//   have fewer. The batches are the steps step.index, step.index + 1 …, all with step.learning_rate. Each step does as
//   gather-rows, the matmuls with bias and activation, softmax-cross-entropy, the matmuls of their gradients, and sgd.
//
//   data, labels, order, normalization   as in gather-rows                                         read
//   parameters  f32          layer by layer: W (inputs, units), then the bias (units); each layer begins at a multiple of 64
//                            elements                                                              read; written if UPDATE
//   velocity    f32          as many elements as parameters; as in sgd                             read and written if MOMENTUM
//   results     f32 (3, BATCH)         if LOSS: for each row of a batch, losses and hits, which are added up, and its last loss
//               f32 (5, BATCH)         if PAIRS: with the low parts of both sums between these and the last loss, as in
//                                      batch-loss.wgsl, which has the error of both forms
//               f32 (rows, outputs)    else: the logits                                            written
//   status      u32 (1 + LAYERS)       as in softmax-cross-entropy and sgd: the first step after which a loss, or a parameter
//                                      of a layer, is not finite
//
// SIZE_0 is the number of inputs; SIZE_1, SIZE_2 … are the units of each layer. Every layer but the last has the activation.
// FROM_Z says that its derivative is computed from the pre-activation, else it is computed from the output.
// Workgroup memory holds the inputs and the outputs of each layer, VALUES = BATCH·(Σ SIZE + LAYERS) elements. The rows of a
// feature are neighbours. The inputs, and the outputs of each layer but the last, end with a feature of ones, which the bias
// is multiplied by. GRADIENTS elements after an output is its ∂loss/∂z; until that is computed, the same element holds the
// derivative of the activation. The inputs have no gradient, so GRADIENTS = VALUES − BATCH·(SIZE_0 + 1).
// Each element is computed by one invocation, which adds in the order of k, so the bits do not depend on THREADS.
// Dispatch one workgroup; without LOSS any number of workgroups, which take turns. Error: that of the kernels named above.

override THREADS: u32 = 64;
override LOSS: bool = true;
override UPDATE: bool = true;
override MOMENTUM: bool = false;
override NESTEROV: bool = false;
override BYTES: bool = false;
override PAIRS: bool = false;
override FROM_Z: bool = false;
override BATCH: u32 = 4;
override VALUES: u32 = 88;
override GRADIENTS: u32 = 76;
override LAYERS: u32 = 2;
override SIZE_0: u32 = 2;
override SIZE_1: u32 = 16;
override SIZE_2: u32 = 2;
override SIZE_3: u32 = 0;
override SIZE_4: u32 = 0;
override SIZE_5: u32 = 0;
override SIZE_6: u32 = 0;
override SIZE_7: u32 = 0;
override SIZE_8: u32 = 0;

struct Hyper { momentum: f32, dampening: f32, weight_decay: f32 }
@group(0) @binding(0) var<uniform> hyper: Hyper;
@group(0) @binding(2) var<storage, read> data: array<u32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read> order: array<u32>;
@group(0) @binding(5) var<storage, read> normalization: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(7) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(8) var<storage, read_write> results: array<f32>;
@group(0) @binding(9) var<storage, read_write> status: array<atomic<u32>>;
var<workgroup> memory: array<f32, VALUES + GRADIENTS>;
var<private> sizes: array<u32, 9> =
  array<u32, 9>(SIZE_0, SIZE_1, SIZE_2, SIZE_3, SIZE_4, SIZE_5, SIZE_6, SIZE_7, SIZE_8);

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  for (var i = thread; i < VALUES; i += THREADS) { memory[i] = 1.0; }
  var index = step.index;
  for (var done = group.x * BATCH; done < step.rows; done += groups.x * BATCH) {
    let first = step.first + done;
    let rows = min(BATCH, step.rows - done);
    for (var i = thread; i < SIZE_0 * BATCH; i += THREADS) {
      let source = order[first + min(i % BATCH, rows - 1)] * SIZE_0 + i / BATCH;
      let word = data[source >> select(0u, 2u, BYTES)];
      let value = select(bitcast<f32>(word), f32((word >> ((source & 3) * 8)) & 0xff), BYTES);
      memory[i] = value * normalization[i / BATCH].x + normalization[i / BATCH].y;
    }
    workgroupBarrier();

    var x = 0u; // index in `memory` of the inputs of the layer
    var w = 0u; // index of its parameters
    for (var layer = 0u; layer < LAYERS; layer++) {
      let inputs = sizes[layer] + 1;
      let units = sizes[layer + 1];
      let out = x + inputs * BATCH;
      for (var i = thread; i < units * BATCH; i += THREADS) {
        let z = weighted(w + i / BATCH, units, x + i % BATCH, inputs);
        var result = z;
        if (layer + 1 < LAYERS) {
          result = activate(z);
          memory[GRADIENTS + out + i] = activate_derivative(select(result, z, FROM_Z));
        }
        memory[out + i] = result;
      }
      x = out;
      w += padded_length(layer);
      workgroupBarrier();
    }

    if (LOSS) {
      for (var row = thread; row < BATCH; row += THREADS) {
        let label = order[first + min(row, rows - 1)] * select(1u, sizes[LAYERS], PROBABILITIES);
        let found = row_loss(row, label, rows, sizes[LAYERS]);
        add_to_result(row, found.x);
        add_to_result(BATCH + row, found.y);
        results[select(2u, 4u, PAIRS) * BATCH + row] = found.x;
        if (not_finite(found.x)) { atomicMin(&status[0], index); }
      }
      workgroupBarrier();
    } else {
      let outputs = sizes[LAYERS];
      for (var i = thread; i < rows * outputs; i += THREADS) {
        results[done * outputs + i] = memory[x + i % outputs * BATCH + i / outputs];
      }
    }

    if (UPDATE) {
      for (var layer = LAYERS; layer > 0; layer--) {
        let inputs = sizes[layer - 1] + 1;
        let units = sizes[layer];
        let out = GRADIENTS + x;
        x -= inputs * BATCH;
        w -= padded_length(layer - 1);
        if (layer > 1) {
          for (var i = thread; i < (inputs - 1) * BATCH; i += THREADS) {
            memory[GRADIENTS + x + i] *= weighted(w + i / BATCH * units, 1, out + i % BATCH, units);
          }
        }
        workgroupBarrier(); storageBarrier(); // all invocations have read the weights before they are overwritten
        for (var i = thread; i < inputs * units; i += THREADS) {
          var gradient = 0.0;
          for (var r = 0u; r < BATCH; r++) {
            gradient += memory[x + i / units * BATCH + r] * memory[out + i % units * BATCH + r];
          }
          update(w + i, gradient, layer, index);
        }
      }
    }
    workgroupBarrier(); storageBarrier(); // weights and activations are complete before the next batch uses them
    index++;
  }
}

// Adds to the sum whose (high) part is results[at].
fn add_to_result(at: u32, x: f32) {
  if (!PAIRS) {
    results[at] += x;
    return;
  }
  let low = 2 * BATCH + at;
  let sum = plus(vec2f(results[at], results[low]), x);
  results[at] = sum.x;
  results[low] = sum.y;
}

fn unknown_zero() -> u32 { return step.rows >> 31; }

// Σₖ parameters[w + k·distance] · feature k of one row, whose features begin at memory[start].
fn weighted(w: u32, distance: u32, start: u32, features: u32) -> f32 {
  var sum = 0.0;
  for (var k = 0u; k < features; k++) { sum += parameters[w + k * distance] * memory[start + k * BATCH]; }
  return sum;
}

// Number of elements from the first parameter of a layer to that of the next, padding included.
fn padded_length(layer: u32) -> u32 { return ((sizes[layer] + 1) * sizes[layer + 1] + 63) & ~63u; }

fn class_weight(k: u32) -> f32 { return 1.0; }

fn logit(row: u32, k: u32) -> f32 { return memory[logit_at(row, k)]; }

fn put_gradient(row: u32, k: u32, value: f32) { memory[GRADIENTS + logit_at(row, k)] = value; }

// The index in `memory` of a logit.
fn logit_at(row: u32, k: u32) -> u32 { return VALUES - (sizes[LAYERS] - k) * BATCH + row; }

// Updates parameter i as sgd.wgsl does. `layer` is counted from 1.
fn update(i: u32, gradient: f32, layer: u32, index: u32) {
  let p = parameters[i];
  let g = gradient + hyper.weight_decay * p;
  var v = g;
  if (MOMENTUM) {
    if (index > 0) { v = hyper.momentum * velocity[i] + (1.0 - hyper.dampening) * g; }
    velocity[i] = v;
  }
  let updated = p - step.learning_rate * select(v, g + hyper.momentum * v, NESTEROV);
  parameters[i] = updated;
  if (not_finite(updated)) { atomicMin(&status[layer], index); }
}
