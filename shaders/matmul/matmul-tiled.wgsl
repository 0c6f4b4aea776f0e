//! uses matmul-operands
//! uses matmul-blocks
//! uses matmul-epilogue
// A matmul from register tiles that are filled through workgroup memory, for GPUs. Operands: matmul-operands.wgsl; bias,
// activation and C: matmul-epilogue.wgsl.
//
// An invocation computes PER_THREAD × PER_THREAD elements of C, where PER_THREAD is 4 or 8. Eight rows or columns are two
// groups of four, half a tile apart, so that neighbouring invocations read neighbouring vec4s. A workgroup computes a tile of
// PER_THREAD·THREADS_Y rows and PER_THREAD·THREADS_X columns. SLICES groups of THREADS_X × THREADS_Y invocations share the
// steps along K, each of which takes TILE_K values of k per group. The sums of the slices are added in a tree, always in the
// same order; SLICES is a power of two. Both operand tiles are k-major, so the inner loop reads vec4s along m and n. In each
// step an invocation loads one or two blocks of 4 × 4, and transposes them in registers if k is contiguous. After each four k
// there are 32/TILE_K vec4s of padding, so that eight neighbouring invocations that write along k hit different banks.
// Rows and columns beyond M and N repeat the last one and are not stored; elements beyond K are zero. EDGE_M, EDGE_N and EDGE_K
// may be false if the size of the tile (for K: TILE_K·SLICES) divides M, N or K. With BANDS, workgroups take the tiles in
// bands of eight rows of tiles, so that workgroups that run at the same time share operands.
// PARTS > 1 divides the steps along K into ranges. Workgroups with z = p take range p, and C is (PARTS, M, N): the sums of the
// parts without an epilogue, for matmul-parts.wgsl. There are at most as many parts as steps.
// Dispatch ⌈N/columns⌉ × ⌈M/rows⌉ × PARTS workgroups, with the rows and columns of a tile. Workgroup memory:
// 16·SLICES·(TILE_K·(rows + columns)/4 + 16) bytes, which must hold half of the sums of all slices. TILE_K is 8, 16 or 32, and
// TILE_K·(rows + columns) ≤ 32·THREADS_X·THREADS_Y.
// Error: K products summed in f32, |error| ≤ (K+1)·u·Σ|a||b| to first order, u = 2⁻²³; with RUNS, whose runs are of a slice,
// (RUN + K/RUN + 8)·u·Σ|a||b|; then that of the epilogue.

override EDGE_M: bool = true;
override BANDS: bool = false;
override PER_THREAD: u32 = 4;
override THREADS_X: u32 = 8;
override THREADS_Y: u32 = 8;
override TILE_K: u32 = 16;
override SLICES: u32 = 1;
override PARTS: u32 = 1;

var<workgroup> tiles: array<vec4f, SLICES * (TILE_K * (THREADS_X + THREADS_Y) * PER_THREAD / 4 + 16)>;

@compute @workgroup_size(THREADS_X, THREADS_Y, SLICES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let rows4 = THREADS_Y * PER_THREAD / 4;
  let columns4 = THREADS_X * PER_THREAD / 4;
  let four_rows = 4 * rows4 + 32 / TILE_K;
  let four_columns = 4 * columns4 + 32 / TILE_K;
  let start_A = local.z * (TILE_K * (rows4 + columns4) + 16);
  let start_B = start_A + TILE_K * rows4 + 8;
  let threads = THREADS_X * THREADS_Y;
  let thread = local.y * THREADS_X + local.x;
  let blocks = TILE_K / 4 * (rows4 + columns4);
  let tile = tile_of(group.xy, 4 * rows4, 4 * columns4);
  let m0 = tile.y * 4 * rows4;
  let n0 = tile.x * 4 * columns4;
  let steps = (dims.K + TILE_K * SLICES - 1) / (TILE_K * SLICES);
  var first = 0u;
  var end = steps;
  if (PARTS > 1) {
    // If PARTS does not divide the number of steps, the first parts have one step more.
    first = group.z * (steps / PARTS) + min(group.z, steps % PARTS);
    end = first + steps / PARTS + u32(group.z < steps % PARTS);
  }

  var c00 = mat4x4f(); var c01 = mat4x4f(); var c10 = mat4x4f(); var c11 = mat4x4f();
  var complete00 = mat4x4f(); var complete01 = mat4x4f(); var complete10 = mat4x4f(); var complete11 = mat4x4f();
  for (var t = first; t < end; t++) {
    let k0 = (t * SLICES + local.z) * TILE_K;
    for (var i = 0u; i < (blocks + threads - 1) / threads; i++) {
      put_block(start_A, thread + i * threads, fetch(thread + i * threads, m0, n0, k0));
    }
    workgroupBarrier(); // both tiles are complete before any invocation reads them
    for (var k4 = 0u; k4 < TILE_K / 4; k4++) {
      for (var k = 0u; k < 4; k++) {
        let at_A = start_A + k4 * four_rows + k * rows4 + local.y;
        let at_B = start_B + k4 * four_columns + k * columns4 + local.x;
        let a = tiles[at_A];
        let b = tiles[at_B];
        c00 = add_outer(c00, a, b);
        if (PER_THREAD == 8) {
          let a1 = tiles[at_A + THREADS_Y];
          let b1 = tiles[at_B + THREADS_X];
          c01 = add_outer(c01, a, b1);
          c10 = add_outer(c10, a1, b);
          c11 = add_outer(c11, a1, b1);
        }
      }
    }
    workgroupBarrier(); // all invocations have read them before the next step overwrites them
    if (RUNS && (t - first + 1) % (RUN / TILE_K) == 0) {
      complete00 += c00; complete01 += c01; complete10 += c10; complete11 += c11;
      c00 = mat4x4f(); c01 = mat4x4f(); c10 = mat4x4f(); c11 = mat4x4f();
    }
  }
  if (RUNS) { c00 += complete00; c01 += complete01; c10 += complete10; c11 += complete11; }

  for (var half = SLICES / 2; half > 0; half /= 2) {
    let at = local.z % half * (PER_THREAD * PER_THREAD / 4 * threads) + thread;
    if (local.z / half == 1) {
      put_sums(at, c00);
      if (PER_THREAD == 8) {
        put_sums(at + 4 * threads, c01);
        put_sums(at + 8 * threads, c10);
        put_sums(at + 12 * threads, c11);
      }
    }
    workgroupBarrier(); // the upper half's sums are complete before the lower half reads them
    if (local.z < half) {
      c00 += sums(at);
      if (PER_THREAD == 8) {
        c01 += sums(at + 4 * threads);
        c10 += sums(at + 8 * threads);
        c11 += sums(at + 12 * threads);
      }
    }
    workgroupBarrier(); // the lower half has read them before its own upper half overwrites them
  }
  if (local.z > 0) { return; }
  var c = array<mat4x4f, 4>(c00, c01, c10, c11);
  for (var i = 0u; i < PER_THREAD * PER_THREAD / 4; i++) {
    let m = m0 + (i / 8 * THREADS_Y + local.y) * 4 + i % 4;
    let n = n0 + (i / 4 % 2 * THREADS_X + local.x) * 4;
    if (m < dims.M && n < dims.N) { store_four(group.z * dims.M + m, n, c[i / 4][i % 4]); }
  }
}

// The (column, row) of the tile that a workgroup computes: its own, or, with BANDS, column by column in bands of eight rows.
fn tile_of(group: vec2u, rows: u32, columns: u32) -> vec2u {
  if (!BANDS) { return group; }
  let count = (dims.N + columns - 1) / columns;
  let top = group.y / 8 * 8;
  let height = min(8, (dims.M + rows - 1) / rows - top);
  let number = (group.y - top) * count + group.x;
  return vec2u(number / height, top + number % height);
}

// (k, row or column), in units of four, of a block of an operand tile that is 4·width4 wide. Neighbouring invocations take
// neighbouring vec4s along the contiguous direction.
fn place(number: u32, width4: u32, along_k: bool) -> vec2u {
  return select(vec2u(number / width4, number % width4), vec2u(number % (TILE_K / 4), number / (TILE_K / 4)), along_k);
}

// Loads a block of a step by its number: the blocks of A come first, then those of B.
fn fetch(number: u32, m0: u32, n0: u32, k0: u32) -> mat4x4f {
  let rows4 = THREADS_Y * PER_THREAD / 4;
  let columns4 = THREADS_X * PER_THREAD / 4;
  if (number < TILE_K / 4 * rows4) {
    let at = place(number, rows4, !TRANSPOSE_A) * 4;
    return block_A(m0 + at.y, k0 + at.x);
  }
  let at = place(number - TILE_K / 4 * rows4, columns4, TRANSPOSE_B) * 4;
  if (number < TILE_K / 4 * (rows4 + columns4)) { return block_B(n0 + at.y, k0 + at.x); }
  return mat4x4f(); // there are fewer blocks than invocations
}

// Writes the block with this number to its tile in workgroup memory.
fn put_block(start: u32, number: u32, elements: mat4x4f) {
  let rows4 = THREADS_Y * PER_THREAD / 4;
  let columns4 = THREADS_X * PER_THREAD / 4;
  if (number < TILE_K / 4 * rows4) {
    put_four(start, place(number, rows4, !TRANSPOSE_A), rows4, elements);
  } else if (number < TILE_K / 4 * (rows4 + columns4)) {
    let at = place(number - TILE_K / 4 * rows4, columns4, TRANSPOSE_B);
    put_four(start + TILE_K * rows4 + 8, at, columns4, elements);
  }
}
fn put_four(start: u32, at: vec2u, width4: u32, elements: mat4x4f) {
  let slot = start + at.x * (4 * width4 + 32 / TILE_K) + at.y;
  tiles[slot] = elements[0];
  tiles[slot + width4] = elements[1];
  tiles[slot + 2 * width4] = elements[2];
  tiles[slot + 3 * width4] = elements[3];
}

fn put_sums(at: u32, c: mat4x4f) {
  let threads = THREADS_X * THREADS_Y;
  tiles[at] = c[0];
  tiles[at + threads] = c[1];
  tiles[at + 2 * threads] = c[2];
  tiles[at + 3 * threads] = c[3];
}
fn sums(at: u32) -> mat4x4f {
  let threads = THREADS_X * THREADS_Y;
  return mat4x4f(tiles[at], tiles[at + threads], tiles[at + 2 * threads], tiles[at + 3 * threads]);
}

// The outer product of a and b added to c: column i is c[i] + a[i]·b.
fn add_outer(c: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(vec4f(a.x), b, c[0]),
    fma(vec4f(a.y), b, c[1]),
    fma(vec4f(a.z), b, c[2]),
    fma(vec4f(a.w), b, c[3]),
  );
}

// Elements of op(A) in rows m … m + 3 and columns k … k + 3. Column i of the result is column k + i of op(A), or zero beyond K.
fn block_A(m: u32, k: u32) -> mat4x4f {
  let rows = stored_rows();
  let outer = rows_of_A(select(four(m, rows, EDGE_M || ONES_ROW), four(k, dims.K, EDGE_K), TRANSPOSE_A));
  let inner = select(four(k, dims.K, EDGE_K), four(m, rows, EDGE_M || ONES_ROW), TRANSPOSE_A);
  let at = outer * select(dims.K, rows, TRANSPOSE_A);
  let loaded = mat4x4f(four_A(at.x + inner), four_A(at.y + inner), four_A(at.z + inner), four_A(at.w + inner));
  var elements = loaded;
  if (!TRANSPOSE_A) { elements = transpose(loaded); }
  if (ONES_ROW) {
    let ones = m + vec4u(0, 1, 2, 3) == vec4u(rows);
    elements = mat4x4f(
      select(elements[0], vec4f(1), ones),
      select(elements[1], vec4f(1), ones),
      select(elements[2], vec4f(1), ones),
      select(elements[3], vec4f(1), ones),
    );
  }
  return zero_beyond(elements, k);
}

// Four elements of A, at the indices `at`; with VEC4_A they are one vec4.
fn four_A(at: vec4u) -> vec4f {
  if (VEC4_A) { return vec4_of_A(at.x >> 2); }
  return elements_of_A(at);
}
