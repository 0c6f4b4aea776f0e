import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connect } from 'vite';

/**
 * Middleware that serves the files of a folder, for a path of a server.
 * @param folder returns the folder; called at the first request
 */
export function serveFiles(
  files: readonly string[],
  folder: () => string | Promise<string>,
): Connect.NextHandleFunction {
  return (request, response, next) => {
    const file = files.find((name) => request.url?.split('?')[0] === `/${name}`);
    if (file === undefined) return next();
    const answer = async (): Promise<void> => {
      const path = join(await folder(), file);
      const { size } = await stat(path);
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
      createReadStream(path).pipe(response);
    };
    answer().catch(next);
  };
}
