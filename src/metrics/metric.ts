/** Sums over rows, as the loss kernel keeps them. */
export interface Sums {
  readonly loss: number;
  /** Rows whose largest output is that of their label. */
  readonly correct: number;
  readonly rows: number;
}

/** A number that is reported beside the loss, under its type's name. */
export interface Metric<Name extends string = string> {
  readonly spec: { readonly type: Name };
  value(sums: Sums): number;
}
