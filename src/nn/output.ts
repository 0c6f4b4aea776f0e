import { assertWord } from '../base/check.js';

/**
 * The meaning of a model's outputs, named after the function that turns logits into predictions (in statistics, the
 * link function's inverse): `softmax` gives the probability of each class, `logistic` an independent probability for
 * each output, and `identity` leaves the outputs as values.
 */
export type Link = 'softmax' | 'logistic' | 'identity';

const links: readonly Link[] = ['softmax', 'logistic', 'identity'];

/** Checks a link. @throws {MlpError} `bad-option` if it is not known */
export function checkLink(where: string, link: unknown): void {
  assertWord(where, { link }, links);
}

/** The link that the activation of a last layer implies, if any. */
export function linkOf(activation: unknown): Link | undefined {
  return activation === 'softmax' ? 'softmax' : activation === 'sigmoid' ? 'logistic' : undefined;
}
