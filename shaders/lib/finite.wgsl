// Tests for infinity and NaN that look at the bits of a number, because a NaN may get lost in comparisons and clamps; and an
// exp that returns neither. Appended to files that have the line `//! uses finite`.

fn not_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u; }

fn any_not_finite(x: vec4f) -> bool { return any((bitcast<vec4u>(x) & vec4u(0x7f800000u)) == vec4u(0x7f800000u)); }

// eˣ for x ≤ 0. x is clamped to −87, since below it the f32 result of exp is indeterminate.
fn exponential(x: f32) -> f32 { return exp(max(x, -87.0)); }
