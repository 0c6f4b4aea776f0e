/**
 * Elements of a block of parameters. Each layer's parameters begin at a multiple of it in the flat tensor of all: 256 bytes,
 * where a binding may begin, and a block belongs to one layer. Shaders have it as shifts, which a test compares with it.
 */
export const PARAMETER_BLOCK = 64;
