import { describe } from './check.js';
import { MlpError } from './errors.js';

/**
 * Bytes of a file, in any form that a page has them: a typed array, an ArrayBuffer, a Blob or File, a Response, or a
 * URL or Request to fetch. A promise of a Response is awaited.
 * @example
 * const source: ByteSource = fetch('model.safetensors'); // or new URL('model.safetensors', document.baseURI)
 */
export type ByteSource = ArrayBufferView | ArrayBufferLike | Blob | Response | Request | URL | PromiseLike<Response>;

/**
 * Reads the bytes of a source. Bytes in memory are not copied.
 * @param what the name of the file, for messages: `Mlp.load: the file`
 * @throws {MlpError} `fetch` if the server has no such file or cannot be reached, `bad-option` for any other value
 */
export async function bytesOf(what: string, source: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  const found = await source;
  if (found instanceof Uint8Array) return found as Uint8Array<ArrayBuffer>;
  if (ArrayBuffer.isView(found)) {
    return new Uint8Array(found.buffer as ArrayBuffer, found.byteOffset, found.byteLength);
  }
  // By the tag, because the objects of another window are no instances of this window's classes.
  const tag = Object.prototype.toString.call(found).slice(8, -1);
  if (/^(?:Shared)?ArrayBuffer$/.test(tag)) return new Uint8Array(found as ArrayBuffer);
  if (tag === 'URL' || tag === 'Request') return await bodyOf(what, await fetched(what, found as URL | Request));
  if (tag === 'Response') return await bodyOf(what, found as Response);
  if (tag === 'Blob' || tag === 'File') return new Uint8Array(await (found as Blob).arrayBuffer());
  const remedy =
    typeof found === 'string'
      ? `To fetch it, pass new URL(${JSON.stringify(found)}, document.baseURI)`
      : 'Pass a Uint8Array, an ArrayBuffer, a Blob, a Response or a URL';
  throw new MlpError('bad-option', `${what} is ${describe(found)}, not bytes. ${remedy}.`);
}

/** @throws {MlpError} `fetch` if there is no answer */
async function fetched(what: string, source: URL | Request): Promise<Response> {
  try {
    return await fetch(source);
  } catch (cause) {
    const url = 'url' in source ? source.url : source.href;
    throw new MlpError('fetch', `${what} cannot be fetched from ${url}: ${String(cause)}.`, { cause });
  }
}

/** Reads the body of a response. @throws {MlpError} `fetch` if it is not the file, or its body cannot be read */
async function bodyOf(what: string, response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const { ok, status, statusText, url, bodyUsed } = response;
  const place = url === '' ? '' : ` at ${url}`;
  if (!ok) throw new MlpError('fetch', `${what}: ${`${status} ${statusText}`.trim()}${place}. Check the URL.`);
  if (bodyUsed) throw new MlpError('fetch', `${what}: the body of the response${place} has been read already.`);
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new MlpError('fetch', `${what}: the download${place} ended early: ${String(cause)}.`, { cause });
  }
}

/** Formats that a file can be by mistake: a pattern of its first characters, its name, and a remedy. */
const MISTAKES: readonly (readonly [RegExp, string, string])[] = [
  [/^\s*</, 'HTML, such as a page that says "not found"', 'Check the URL'],
  [/^\s*[[{]/, 'JSON', 'Check the URL'],
  [/^version https:\/\/git-lfs/, 'a pointer of Git LFS', 'Fetch the file that it stands for'],
  [/^PK/, "a zip archive, such as PyTorch's own format", 'Save the weights with safetensors.torch.save_file'],
  [/^[^ -~]\x8b/, 'gzip', 'Decompress it first'],
  [/^mlp-ckpt/, 'a checkpoint', 'Pass it to trainer.restore()'],
  [/^\x89HDF/, 'HDF5, the format of Keras', 'Save the weights as safetensors'],
  [/^[\s -~]{8}/, 'text, such as a message', 'Check the URL'],
];

/**
 * Tells what a file seems to be that is not of the expected format.
 * @returns two sentences for a message, or undefined if its first bytes give no hint
 */
export function mistakenFor(file: Uint8Array): string | undefined {
  const begin = String.fromCharCode(...file.subarray(0, 64)).replace(/^\xef\xbb\xbf/, '');
  const mistake = MISTAKES.find(([pattern]) => pattern.test(begin));
  return mistake && `It looks like ${mistake[1]}. ${mistake[2]}.`;
}
