//! uses activations
// The derivative of the activation below, by which a gradient is multiplied where it is written. Appended to files whose header
// says so; such a file has a binding `gate` and a field dims.gate_offset.
//
//   gate  f32, from element gate_offset on: the activation's output, or its pre-activation, as the table says    read if GATE

override GATE: bool = false;

// The gradient as element i is stored with.
fn gated(i: u32, gradient: f32) -> f32 {
  if (!GATE) { return gradient; }
  return gradient * activate_derivative(gate[dims.gate_offset + i]);
}
