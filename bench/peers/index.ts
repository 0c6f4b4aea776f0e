import type { Peer } from '../case.js';

/** The libraries that this one is measured against. */
export const peers: readonly Peer[] = [];
