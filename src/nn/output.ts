import { MlpError } from '../base/errors.js';

/**
 * The link function, as statistics call it: the meaning of a model's last numbers, its logits: `softmax` the probability of each class, `logistic` the
 * probability of each output on its own, `identity` values as they are.
 */
export type Link = 'softmax' | 'logistic' | 'identity';

const links: readonly unknown[] = ['softmax', 'logistic', 'identity'];

/** @throws {MlpError} `bad-option` */
export function checkLink(where: string, link: unknown): void {
  if (!links.includes(link)) {
    throw new MlpError(
      'bad-option',
      `${where} link = "${String(link)}"; link must be "softmax", "logistic" or "identity".`,
    );
  }
}

/** The link that a layer has in itself, by its activation. */
export function linkOf(activation: unknown): Link | undefined {
  return activation === 'softmax' ? 'softmax' : activation === 'sigmoid' ? 'logistic' : undefined;
}
