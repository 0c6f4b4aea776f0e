/** What the bundler plugin makes of a .wgsl file: its text, and what the text declares. */
export interface Shader {
  readonly name: string;
  readonly code: string;
  /** The defaults that the file states. */
  readonly overrides: Readonly<Record<string, number | boolean>>;
  /** Structs of words; `fields` are in their order. */
  readonly uniforms: Readonly<
    Record<
      string,
      { readonly binding: number; readonly size: number; readonly fields: Readonly<Record<string, 'u32' | 'f32'>> }
    >
  >;
  readonly buffers: Readonly<
    Record<string, { readonly binding: number; readonly access: 'read' | 'read_write'; readonly type?: string }>
  >;
}
