/**
 * Number of elements in a block of parameters. In the flat tensor of all parameters, those of each layer begin at a
 * block, so that a block belongs to one layer. A block has 256 bytes, the alignment of bindings. Shaders write it as
 * bit shifts; a test compares these with this constant.
 */
export const PARAMETER_BLOCK = 64;

/** Bytes of a storage buffer that a shader can bind on every WebGPU device. */
const BINDING_BYTES = 2 ** 27;
/** Parts begin at multiples, so that the words of `layerOfBlock` and `parameterMask` for a part can be bound. */
const PART_MULTIPLE = 64 * PARAMETER_BLOCK;

/**
 * Divides the flat tensor of all parameters into parts that updates treat one after the other. The parts are the same on
 * every device, so that each can read the checkpoints of all others.
 * @param length elements of the flat tensor
 * @param rows numbers for each element in the largest tensor that an update binds
 */
export function partsOf(length: number, rows: number): readonly { readonly start: number; readonly length: number }[] {
  const most = Math.floor(BINDING_BYTES / (4 * rows * PART_MULTIPLE)) * PART_MULTIPLE;
  const count = Math.ceil(length / most);
  return Array.from({ length: count }, (_, i) => ({ start: i * most, length: Math.min(most, length - i * most) }));
}
