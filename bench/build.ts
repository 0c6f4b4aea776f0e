/** Facts that are known when the bench is built, but not at run time. */
interface Build {
  readonly commit: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Defined by bench/vite.config.ts. */
declare const BENCH_BUILD: Build;

export const build: Build = BENCH_BUILD;
