// @ts-check
/**
 * The bundles that the browser keeps, in its cache storage: each file in parts, under a URL with
 * the file's SHA-256, so that a changed file is a new entry. Storage may be full, blocked or
 * absent: then nothing is kept and all goes on.
 */
const CACHE = "touchstone-model";
/** Bytes of a part: what is lost at most when a download breaks off. */
export const PART = 8 * 1024 * 1024;

export class FileStore {
  #cache;
  #base;

  /**
   * @param {Cache} cache
   * @param {URL} base
   */
  constructor(cache, base) {
    this.#cache = cache;
    this.#base = base;
  }

  /**
   * @param {URL} base folder of the bundle, with a slash at the end
   * @returns {Promise<FileStore | null>}
   */
  static async open(base) {
    try {
      return new FileStore(await caches.open(CACHE), base);
    } catch {
      return null; // `caches` is absent or throws on insecure and partitioned pages
    }
  }

  /** @returns {Promise<Uint8Array<ArrayBuffer> | undefined>} of the last bundle that came whole */
  async manifest() {
    return this.#bytes(this.#manifestUrl());
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  async putManifest(bytes) {
    await this.#put(this.#manifestUrl(), bytes);
  }

  #manifestUrl() {
    return new URL("bundle.json", this.#base).href;
  }

  /**
   * Reads the kept parts of a file from its start.
   *
   * @param {string} url
   * @param {Uint8Array} bytes
   * @param {(loaded: number) => void} report
   * @returns {Promise<number>} bytes read, up to the first part that is not there
   */
  async read(url, bytes, report) {
    let loaded = 0;
    while (loaded < bytes.length) {
      const part = await this.#bytes(partUrl(url, loaded / PART));
      if (part?.length !== Math.min(PART, bytes.length - loaded)) return loaded;
      bytes.set(part, loaded);
      loaded += part.length;
      report(loaded);
    }
    return loaded;
  }

  /**
   * @param {string} url
   * @param {number} part
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async put(url, part, bytes) {
    await this.#put(partUrl(url, part), bytes);
  }

  /** @param {string} url of a file whose copy proved to be broken */
  async drop(url) {
    await this.#deleteIf((file) => file === url);
  }

  /**
   * Removes what other versions of this bundle left; other bundles of the origin stay.
   *
   * @param {string[]} urls of files
   */
  async keepOnly(urls) {
    const manifest = urls.length > 0 ? this.#manifestUrl() : "";
    await this.#deleteIf((file) => !urls.includes(file) && file !== manifest);
  }

  /** @param {(file: string) => boolean} unwanted asked about each entry of this bundle */
  async #deleteIf(unwanted) {
    try {
      for (const { url } of await this.#cache.keys()) {
        const mine = new URL(".", url).href === this.#base.href;
        if (mine && unwanted(url.split("&part=")[0])) await this.#cache.delete(url);
      }
    } catch {
      // An old entry costs space only.
    }
  }

  /** @param {string} url */
  async #bytes(url) {
    try {
      const response = await this.#cache.match(url);
      return response && new Uint8Array(await response.arrayBuffer());
    } catch {
      return undefined; // a copy that cannot be read counts as absent
    }
  }

  /**
   * @param {string} url
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async #put(url, bytes) {
    await this.#cache.put(url, new Response(bytes)).catch(() => {});
  }
}

/**
 * @param {string} url
 * @param {number} part
 */
function partUrl(url, part) {
  return `${url}&part=${part}`;
}
