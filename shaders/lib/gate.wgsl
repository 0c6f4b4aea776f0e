// What a gradient is multiplied by where it is written: the derivative of the activation below. Appended to files whose header
// says so, after activations; such a file has a binding `gate` and a field dims.gate_offset.
//
//   gate  f32, from element gate_offset on: the activation's output, or its pre-activation, as the table says    read if GATE

override GATE: bool = false;

// The gradient as element i is stored with.
fn gated(i: u32, gradient: f32) -> f32 {
  if (!GATE) { return gradient; }
  return gradient * activate_derivative(gate[dims.gate_offset + i]);
}
