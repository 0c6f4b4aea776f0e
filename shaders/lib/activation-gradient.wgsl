//! uses activations
// Multiplies a gradient by the derivative f′ of the activation below, where the gradient is stored. Appended to files that
// have the line `//! uses activation-gradient`; each of them declares a binding `kept` and a field `dims.kept_offset`.
//
//   kept  f32, from element kept_offset on      read if ACTIVATION_GRADIENT
//         the activation's output, or its pre-activation (`from` in src/kernels/activations.ts)

override ACTIVATION_GRADIENT: bool = false;

// The value to store for element i: its gradient, times f′(kept) if ACTIVATION_GRADIENT.
fn times_activation_gradient(i: u32, gradient: f32) -> f32 {
  if (!ACTIVATION_GRADIENT) { return gradient; }
  return gradient * activate_derivative(kept[dims.kept_offset + i]);
}
