/** The most terms of a sum that is added up as a plain float32. Longer sums are compensated: `shaders/lib/compensated.wgsl`. */
export const LONG_SUM = 1024;
