// @ts-check
// Serves a page with Vite; needs the dependencies once it is called.

/**
 * @param {string} configFile
 * @param {{ port?: number, live?: boolean }} [options] `port` 0 is any free port; `live`: true to reload the
 *   page when its files change, which must be false for a page that is measured
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serve(configFile, { port = 0, live = false } = {}) {
  const { createServer } = await import('vite');
  const server = await createServer({
    configFile,
    logLevel: 'warn',
    server: { host: '127.0.0.1', port, strictPort: port !== 0, ...(live ? {} : { hmr: false, watch: null }) },
  });
  await server.listen();
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error('The page is not served: vite names no address.');
  return { url, close: () => server.close() };
}
