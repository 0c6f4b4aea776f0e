// Tests for infinity and NaN by the bits of a number, as a NaN may vanish in comparisons and clamps; and exp without either.
// Appended to files whose header says so.

fn not_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u; }

fn any_not_finite(x: vec4f) -> bool { return any((bitcast<vec4u>(x) & vec4u(0x7f800000u)) == vec4u(0x7f800000u)); }

// exp for x ≤ 0; below −87 the f32 result would be indeterminate.
fn exponential(x: f32) -> f32 { return exp(max(x, -87.0)); }
