// @ts-check
/** A static server on this machine, as a good host would be: gzip, validators, cross-origin isolation. */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

/** @type {Record<string, string>} */
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".css": "text/css",
  ".wasm": "application/wasm",
};
/** Isolation gives pages threads; without it every runtime has one. */
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cache-Control": "max-age=3600",
};

/**
 * @param {Record<string, string>} folders by the beginning of the address; longer ones go first
 * @returns {Promise<{ url: string, sent: () => number }>} `sent`: bytes since it was last asked
 */
export async function serve(folders) {
  const mounts = Object.entries(folders).sort(([a], [b]) => b.length - a.length);
  /** @type {Map<string, Buffer>} */
  const packed = new Map();
  let bytes = 0;
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://here").pathname);
    const mount = mounts.find(([start]) => path.startsWith(start));
    const file = mount && join(mount[1], normalize(`/${path.slice(mount[0].length)}`));
    const found = file && (await stat(file).catch(() => null));
    if (!file || !found?.isFile()) return response.writeHead(404).end();
    const tag = `"${found.size}-${found.mtimeMs}"`;
    const type = TYPES[extname(file)];
    const headers = { ...HEADERS, ETag: tag, "Content-Type": type ?? "application/octet-stream" };
    if (request.headers["if-none-match"] === tag) return response.writeHead(304, headers).end();
    if (!type) {
      bytes += found.size;
      response.writeHead(200, { ...headers, "Content-Length": found.size });
      return createReadStream(file).pipe(response);
    }
    const body = packed.get(file + tag) ?? gzipSync(await readFile(file));
    packed.set(file + tag, body);
    bytes += body.length;
    response.writeHead(200, { ...headers, "Content-Encoding": "gzip", "Content-Length": body.length }).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const sent = () => {
    const before = bytes;
    bytes = 0;
    return before;
  };
  return { url: `http://localhost:${port}`, sent };
}
