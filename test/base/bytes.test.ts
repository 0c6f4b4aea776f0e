import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ByteSource, bytesOf, mistakenFor } from '../../src/base/bytes.js';
import { FormatError, MlpError } from '../../src/base/errors.js';
import { readSafetensors } from '../../src/base/safetensors.js';
import { Dataset, dense, Mlp, sgd, softmaxCrossEntropy } from '../../src/index.js';
import { FakeDevice } from '../support/fake-device.js';

const bytes = Uint8Array.of(1, 2, 3, 250);
const page = '<!DOCTYPE html>\n<title>Not Found</title>';

const server = createServer(({ url }, response) => {
  const [status, body] = url === '/file' ? [200, bytes] : url === '/broken' ? [200, bytes] : [404, page];
  if (url === '/broken') response.setHeader('content-length', 1000);
  response.statusCode = status;
  if (url === '/broken') response.write(body, () => response.destroy());
  else response.end(body);
});
let origin = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

test.for<[string, () => ByteSource]>([
  ['Uint8Array', () => bytes],
  ['a part of a buffer', () => Uint8Array.of(9, 1, 2, 3, 250, 9).subarray(1, 5)],
  ['Uint8ClampedArray', () => Uint8ClampedArray.from(bytes)],
  ['Int32Array', () => new Int32Array(bytes.slice().buffer)],
  ['DataView', () => new DataView(Uint8Array.of(9, ...bytes).buffer, 1)],
  ['ArrayBuffer', () => bytes.slice().buffer],
  [
    'SharedArrayBuffer',
    () => {
      const shared = new SharedArrayBuffer(4);
      new Uint8Array(shared).set(bytes);
      return shared;
    },
  ],
  ['Blob', () => new Blob([bytes])],
  ['File', () => new File([bytes], 'x')],
  ['Response', () => new Response(bytes)],
  ['a promise of a Response', () => Promise.resolve(new Response(bytes))],
  ['URL', () => new URL('/file', origin)],
  ['Request', () => new Request(`${origin}/file`)],
  ['data: URL', () => new URL('data:application/octet-stream;base64,AQID+g==')],
])('bytes of %s', async ([, source]) => {
  expect([...(await bytesOf('the file', source()))]).toEqual([...bytes]);
});

test('bytes in memory are not copied', async () => {
  expect(await bytesOf('x', bytes)).toBe(bytes);
  const { buffer } = bytes.slice();
  expect((await bytesOf('x', buffer)).buffer).toBe(buffer);
});

test('what cannot be fetched is refused with its URL', async () => {
  const refusals: [ByteSource, string][] = [
    [new URL('/gone', origin), `the file: 404 Not Found at ${origin}/gone. Check the URL.`],
    [fetch(`${origin}/gone`), `the file: 404 Not Found at ${origin}/gone. Check the URL.`],
    [new Response('', { status: 503 }), 'the file: 503. Check the URL.'],
    [new URL('/broken', origin), `the file: the download at ${origin}/broken ended early: TypeError`],
    [new URL('http://127.0.0.1:1/x'), 'the file cannot be fetched from http://127.0.0.1:1/x: TypeError'],
  ];
  for (const [source, message] of refusals) {
    const error = await bytesOf('the file', source).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MlpError);
    expect(error).toMatchObject({ code: 'fetch', message: expect.stringContaining(message) });
  }
  const response = new Response(bytes);
  await response.arrayBuffer();
  await expect(bytesOf('the file', response)).rejects.toThrow('the body of the response has been read already.');
});

test.for<[unknown, string]>([
  [undefined, 'the file is undefined, not bytes. Pass a Uint8Array, an ArrayBuffer, a Blob, a Response or a URL.'],
  ['m.bin', 'the file is "m.bin" (a string), not bytes. To fetch it, pass new URL("m.bin", document.baseURI).'],
  [[1, 2], 'the file is an array, not bytes.'],
  [{}, 'the file is an object, not bytes.'],
])('%o is refused', async ([source, message]) => {
  await expect(bytesOf('the file', source as ByteSource)).rejects.toThrow(message);
});

const device = new FakeDevice();
const html = (): Response => new Response(page);

test('each method that reads a file takes a Response, and tells a page of a server from a file', async () => {
  const options = { inputs: 2, layers: [dense(3)] };
  const model = await Mlp.create(device, options);
  const trainer = await model.trainer({
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: 2,
  });
  const file = await model.save();
  const checkpoint = await trainer.checkpoint();
  expect((await Mlp.load(device, new Response(file))).spec).toEqual(model.spec);
  await model.loadWeights(new Blob([file]));
  await trainer.restore(new File([checkpoint], 'training.ckpt'));
  using csv = await Dataset.fromCsv(device, new Response('1,2,x\n3,4,y'), { target: 2 });
  expect(csv.length).toBe(2);
  const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 8);
  using idx = await Dataset.fromIdx(device, new Blob([images]), new Response(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 5)));
  expect([idx.length, idx.features]).toEqual([1, 2]);
  const looks = 'It looks like HTML, such as a page that says "not found". Check the URL.';
  await expect(Mlp.load(device, html())).rejects.toThrow(`Mlp.load: the file is not safetensors. ${looks}`);
  await expect(model.loadWeights(html())).rejects.toThrow(`loadWeights: the file is not safetensors. ${looks}`);
  await expect(trainer.restore(html())).rejects.toThrow(`do not begin as those of checkpoint() do. ${looks}`);
  await expect(Dataset.fromCsv(device, html(), { target: 0 })).rejects.toThrow('the file is a web page, not CSV.');
  await expect(Dataset.fromIdx(device, html(), html())).rejects.toThrow('a web page, not IDX. Check the URL');
  await expect(Mlp.load(device, fetch(`${origin}/gone`))).rejects.toThrow('Mlp.load: the file: 404 Not Found at http');
  await expect(Mlp.load(device, checkpoint)).rejects.toThrow(
    'It looks like a checkpoint. Pass it to trainer.restore().',
  );
  await expect(trainer.restore(file)).rejects.toThrow('Models are read by Mlp.load().');
});

test.for<[string, string]>([
  ['\ufeff \n<html>', 'HTML'],
  ['{"error": "not found"}', 'JSON'],
  ['version https://git-lfs.github.com/spec/v1\n', 'a pointer of Git LFS'],
  ['PK\x03\x04archive/data.pkl', 'a zip archive'],
  ['Not Found', 'text'],
])('%j looks like %s', ([text, name]) => {
  expect(mistakenFor(new TextEncoder().encode(text))).toContain(`It looks like ${name}`);
});

test('gzip and HDF5 are known by their first bytes; other bytes are not', () => {
  expect(mistakenFor(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0))).toContain(
    'It looks like gzip. Decompress it first.',
  );
  expect(mistakenFor(Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10))).toContain('HDF5');
  expect(mistakenFor(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))).toBeUndefined();
  expect(mistakenFor(new Uint8Array(0))).toBeUndefined();
});

test('a header whose length is spelt as PK is a header', () => {
  // 0x4b50 = 19280 bytes: "PK" in little-endian order.
  const file = new Uint8Array(8 + 19280).fill(0x20);
  file.set([0x50, 0x4b, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d]);
  expect(readSafetensors(file, 'x').tensors.size).toBe(0);
  expect(() => readSafetensors(Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0), 'x')).toThrow(FormatError);
});
