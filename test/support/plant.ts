/** An error that a test puts into a shader: what is there, and what stands there instead. */
export interface Plant {
  /** The part of the text that is replaced, everywhere in the shaders that contain it. */
  readonly text: string;
  readonly wrong: string;
}

/**
 * Runs `work` with an error in every shader module that is made meanwhile and contains the text.
 * @throws if no module contained it: then nothing was planted, and nothing can be concluded
 */
export async function withPlanted<T>({ text, wrong }: Plant, work: () => Promise<T>): Promise<T> {
  const original = GPUDevice.prototype.createShaderModule;
  let planted = 0;
  GPUDevice.prototype.createShaderModule = function (descriptor): GPUShaderModule {
    const code = descriptor.code.replaceAll(text, wrong);
    if (code !== descriptor.code) planted += 1;
    return original.call(this, { ...descriptor, code });
  };
  try {
    const result = await work();
    if (planted === 0) throw new Error(`No shader that was compiled contains "${text}".`);
    return result;
  } finally {
    GPUDevice.prototype.createShaderModule = original;
  }
}
