//! uses step
// The update rule of stochastic gradient descent, for four elements at once; sgd.wgsl has the formulas. Appended to files that
// have the line `//! uses sgd-rule`; each of them declares a uniform hyper with the fields momentum, dampening and
// weight_decay.

override MOMENTUM: bool = false; // without it there is no velocity
override NESTEROV: bool = false;

fn next_velocity(g: vec4f, velocity: vec4f) -> vec4f {
  if (step.index == 0) { return g; }
  return hyper.momentum * velocity + (1.0 - hyper.dampening) * g;
}

fn next_parameters(p: vec4f, g: vec4f, v: vec4f) -> vec4f {
  return p - step.learning_rate * select(v, g + hyper.momentum * v, NESTEROV);
}
