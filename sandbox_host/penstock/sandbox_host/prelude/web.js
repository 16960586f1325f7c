// crypto (hashes, HMACs, random values; Python computes) and structuredClone.
(function ({ ask, part }) {
  const bytesOf = (data, name) => part("bytes").Buffer.from(data, name);
  class Digest {
    constructor(algorithm, key) {
      this.algorithm = String(algorithm);
      this.key = key === undefined ? null : bytesOf(key).toString("base64");
      this.pieces = [];
      ask("digest", this.algorithm, "", this.key); // an unknown algorithm fails here
    }
    update(data, name) {
      this.pieces.push(bytesOf(data, name));
      return this;
    }
    digest(name) {
      const all = part("bytes").Buffer.concat(this.pieces).toString("base64");
      const out = bytesOf(ask("digest", this.algorithm, all, this.key), "base64");
      return name ? out.toString(name) : out;
    }
  }
  const crypto = {
    createHash: (algorithm) => new Digest(algorithm),
    createHmac: (algorithm, key) => new Digest(algorithm, key),
    randomBytes: (size) => bytesOf(ask("randomBytes", size), "base64"),
    randomUUID: () => ask("randomUuid"),
    randomInt: (low, high) => (high === undefined ? ask("randomInt", 0, low) : ask("randomInt", low, high)),
    getHashes: () => ask("hashes"),
    timingSafeEqual: (a, b) => bytesOf(a).equals(bytesOf(b)),
    getRandomValues(array) {
      const bytes = crypto.randomBytes(array.byteLength);
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes);
      return array;
    },
  };
  function structuredClone(value, _options, seen = new Map()) {
    if (typeof value === "function" || typeof value === "symbol") throw new Error(`${String(value)} could not be cloned.`);
    if (value === null || typeof value !== "object") return value;
    if (seen.has(value)) return seen.get(value);
    const copy = (one) => structuredClone(one, undefined, seen);
    if (value instanceof Date) return new Date(+value);
    if (value instanceof RegExp) return new RegExp(value.source, value.flags);
    if (value instanceof Map) return new Map([...value].map(([key, one]) => [copy(key), copy(one)]));
    if (value instanceof Set) return new Set([...value].map(copy));
    if (ArrayBuffer.isView(value)) return value.slice();
    const out = Array.isArray(value) ? [] : {};
    seen.set(value, out);
    for (const key of Object.keys(value)) out[key] = copy(value[key]);
    return out;
  }
  return { crypto, structuredClone: (value, options) => structuredClone(value, options) };
});
