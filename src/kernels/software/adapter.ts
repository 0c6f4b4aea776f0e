import type { AdapterTraits } from '../../plan/dispatch.js';

/** True for a software adapter: WebGPU on a CPU, as SwiftShader and llvmpipe implement it. */
export const onSoftware = ({ software }: Pick<AdapterTraits, 'software'>): boolean => software;

/** True for a GPU. */
export const onHardware = ({ software }: Pick<AdapterTraits, 'software'>): boolean => !software;
