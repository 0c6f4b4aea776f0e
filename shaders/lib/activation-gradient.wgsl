//! uses activations
// The derivative of the activation below, by which a gradient is multiplied where it is written. Appended to files whose header
// says so; such a file has a binding `kept` and a field dims.kept_offset.
//
//   kept  f32, from element kept_offset on: the activation's output, or its pre-activation, as the table says
//        read if ACTIVATION_GRADIENT

override ACTIVATION_GRADIENT: bool = false;

// The gradient as element i is stored with.
fn times_activation_gradient(i: u32, gradient: f32) -> f32 {
  if (!ACTIVATION_GRADIENT) { return gradient; }
  return gradient * activate_derivative(kept[dims.kept_offset + i]);
}
