/** The option that all layers with parameters have. */
export interface TrainableOptions {
  /**
   * False to freeze the layer, and the layers inside it: training does not change it, computes no gradient of its
   * parameters, and keeps no optimizer state for them. Weight decay and penalties leave it alone. A model's layers are
   * fixed: to train the layer later, make a second model without the option, and pass it the `weights()` of the first.
   * Default: true.
   * Example: `trainable: false`.
   */
  readonly trainable?: boolean | undefined;
}

/**
 * The member `trainable` of a layer and of its spec, if it is given and not true. The default is left out, so that files
 * and checkpoints of models without frozen layers are those of earlier versions.
 */
export function trainableOf({ trainable = true }: TrainableOptions): TrainableOptions {
  return trainable === true ? {} : { trainable };
}
