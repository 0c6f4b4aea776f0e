/** An error that a test puts into a shader: a text, and its replacement. */
export interface Plant {
  /** The part of the text that is replaced, everywhere in the shaders that contain it. */
  readonly text: string;
  readonly wrong: string;
}

/**
 * Runs `work` with the errors in every shader module that is created meanwhile and contains their texts.
 * @throws if no module contained the text of an error, since the error was not planted and the test proves nothing
 */
export async function withPlanted<T>(plants: readonly Plant[], work: () => Promise<T>): Promise<T> {
  const original = GPUDevice.prototype.createShaderModule;
  const missing = new Set(plants.map(({ text }) => text));
  GPUDevice.prototype.createShaderModule = function (descriptor): GPUShaderModule {
    let { code } = descriptor;
    for (const { text, wrong } of plants) {
      if (code.includes(text)) missing.delete(text);
      code = code.replaceAll(text, wrong);
    }
    return original.call(this, { ...descriptor, code });
  };
  try {
    const result = await work();
    for (const text of missing) throw new Error(`No shader that was compiled contains "${text}".`);
    return result;
  } finally {
    GPUDevice.prototype.createShaderModule = original;
  }
}
