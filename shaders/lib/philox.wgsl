// Philox-4×32-10: four random words from a counter and a key, the same on every adapter. Appended to files that have the line
// `//! uses philox`. Source: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".

fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10; round++) {
    let first = wide_product(0xd2511f53u, c.x);
    let second = wide_product(0xcd9e8d57u, c.z);
    c = vec4u(second.y ^ c.y ^ k.x, second.x, first.y ^ c.w ^ k.y, first.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// (low word, high word) of a·b, from products of half words, none of which overflows.
fn wide_product(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16) * (b & 0xffffu) + (low >> 16);
  let other = (a & 0xffffu) * (b >> 16) + (middle & 0xffffu);
  return vec2u(a * b, (a >> 16) * (b >> 16) + (middle >> 16) + (other >> 16));
}
