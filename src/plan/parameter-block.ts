/**
 * Number of elements in a block of parameters. In the flat tensor of all parameters, those of each layer begin at a
 * block, so that a block belongs to one layer. A block has 256 bytes, the alignment of bindings. Shaders write it as
 * bit shifts; a test compares these with this constant.
 */
export const PARAMETER_BLOCK = 64;
