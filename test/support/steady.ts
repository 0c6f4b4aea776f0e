import { patient } from './patience.ts';

/** The value that a reader gives once it has not changed for a while. @param milliseconds of that while, on a quiet machine */
export async function steady<Value extends string | number>(
  read: () => Value | Promise<Value>,
  milliseconds = 300,
): Promise<Value> {
  let value = await read();
  let since = performance.now();
  while (performance.now() - since < patient(milliseconds)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = await read();
    if (now !== value) since = performance.now();
    value = now;
  }
  return value;
}
