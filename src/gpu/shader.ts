interface Uniform {
  readonly binding: number;
  /** Bytes of the binding. */
  readonly size: number;
  readonly fields: Readonly<Record<string, 'u32' | 'f32'>>;
  /** Elements, if it is an array. */
  readonly count?: number;
}

/** What the bundler plugin makes of a .wgsl file: its text, and what the text declares. */
export interface Shader {
  readonly name: string;
  readonly code: string;
  /** The defaults that the file states. */
  readonly overrides: Readonly<Record<string, number | boolean>>;
  /** Structs of words, or with `count` arrays of them; `fields` are in their order. */
  readonly uniforms: Readonly<Record<string, Uniform>>;
  readonly buffers: Readonly<
    Record<string, { readonly binding: number; readonly access: 'read' | 'read_write'; readonly type?: string }>
  >;
}
