//! uses step
// Four velocities and parameters after a step of stochastic gradient descent; sgd.wgsl has the formulas. Appended to files
// whose header says so; such a file has a uniform hyper, with momentum, dampening and weight_decay.

override MOMENTUM: bool = false; // else there is no velocity
override NESTEROV: bool = false;

fn next_velocity(g: vec4f, velocity: vec4f) -> vec4f {
  if (step.index == 0) { return g; }
  return hyper.momentum * velocity + (1.0 - hyper.dampening) * g;
}

fn next_parameters(p: vec4f, g: vec4f, v: vec4f) -> vec4f {
  return p - step.learning_rate * select(v, g + hyper.momentum * v, NESTEROV);
}
