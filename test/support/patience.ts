import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** The factor by which work takes longer here than on a quiet machine; at least 1. Measured as the tests begin. */
    patience: number;
  }
}

/** A time limit for this machine. @param milliseconds that are ample on a quiet one */
export function patient(milliseconds: number): number {
  return milliseconds * inject('patience');
}
