/** What is known when the bench is built, and not where it runs. */
interface Build {
  readonly commit: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Put in by bench/vite.config.ts. */
declare const BENCH_BUILD: Build;

export const build: Build = BENCH_BUILD;
