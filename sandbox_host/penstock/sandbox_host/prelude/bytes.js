// Bytes: Buffer on Uint8Array, TextEncoder and TextDecoder, atob and btoa.
(function () {
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const VALUES = new Map([...DIGITS].map((digit, i) => [digit, i]).concat([["-", 62], ["_", 63]]));

  function utf8Bytes(text) {
    const out = [];
    for (const char of text) {
      let code = char.codePointAt(0);
      if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
      if (code < 0x80) out.push(code);
      else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 63));
      else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
      else out.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
    return out;
  }
  function utf8Text(bytes, fatal = false) {
    let out = "";
    for (let i = 0; i < bytes.length; ) {
      const first = bytes[i];
      const size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
      let code = size === 1 ? first : first & (0xff >> (size + 1));
      let used = 1;
      while (used < size && (bytes[i + used] & 0xc0) === 0x80) code = (code << 6) | (bytes[i + used++] & 63);
      const lowest = [0, 0, 0x80, 0x800, 0x10000][size];
      const good = size && used === size && code >= lowest && code < 0x110000 && !(code >= 0xd800 && code < 0xe000);
      if (!good && fatal) throw new TypeError("The encoded data was not valid for encoding utf-8");
      out += good ? String.fromCodePoint(code) : "\ufffd";
      i += good ? size : Math.max(1, size && used < size ? used : 1);
    }
    return out;
  }
  function base64Text(bytes, url) {
    let out = "";
    for (let i = 0; i < bytes.length; i += 3) {
      const group = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
      out += DIGITS[group >> 18] + DIGITS[(group >> 12) & 63];
      out += i + 1 < bytes.length ? DIGITS[(group >> 6) & 63] : "=";
      out += i + 2 < bytes.length ? DIGITS[group & 63] : "=";
    }
    return url ? out.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "") : out;
  }
  function base64Bytes(text) {
    const out = [];
    let bits = 0;
    let held = 0;
    for (const digit of text) {
      if (digit === "=") break;
      const value = VALUES.get(digit);
      if (value === undefined) continue;
      held = ((held << 6) | value) & 0xffffff;
      bits += 6;
      if (bits >= 8) out.push((held >> (bits -= 8)) & 255);
    }
    return out;
  }
  const hexBytes = (text) => (/^([0-9a-f]{2})*/i.exec(text)[0].match(/../g) ?? []).map((pair) => parseInt(pair, 16));
  const latinText = (bytes, mask = 255) => {
    let out = "";
    for (const byte of bytes) out += String.fromCharCode(byte & mask);
    return out;
  };
  const wideBytes = (text) => [...Array(text.length).keys()].flatMap((i) => [text.charCodeAt(i) & 255, text.charCodeAt(i) >> 8]);
  const wideText = (bytes) => {
    let out = "";
    for (let i = 0; i + 1 < bytes.length; i += 2) out += String.fromCharCode(bytes[i] | (bytes[i + 1] << 8));
    return out;
  };
  const latinBytes = (text) => [...Array(text.length).keys()].map((i) => text.charCodeAt(i) & 255);
  const ENCODINGS = {
    utf8: [utf8Bytes, (bytes) => utf8Text(bytes)],
    base64: [base64Bytes, (bytes) => base64Text(bytes)],
    base64url: [base64Bytes, (bytes) => base64Text(bytes, true)],
    hex: [hexBytes, (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")],
    latin1: [latinBytes, (bytes) => latinText(bytes)],
    ascii: [latinBytes, (bytes) => latinText(bytes, 127)],
    utf16le: [wideBytes, wideText],
  };
  const NAMES = { "utf-8": "utf8", binary: "latin1", ucs2: "utf16le", "ucs-2": "utf16le", "utf-16le": "utf16le" };
  function encoding(name = "utf8") {
    const key = String(name ?? "utf8").toLowerCase();
    const found = ENCODINGS[NAMES[key] ?? key];
    if (!found) throw new TypeError(`Unknown encoding: ${name}`);
    return found;
  }

  class Buffer extends Uint8Array {
    static from(value, name, length) {
      if (typeof value === "string") return new Buffer(encoding(name)[0](value));
      if (value instanceof ArrayBuffer) return new Buffer(value, name, length);
      if (value?.type === "Buffer" && Array.isArray(value.data)) return new Buffer(value.data);
      if (value === null || typeof value !== "object") {
        throw new TypeError(`The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object. Received ${value === null ? "null" : `type ${typeof value} (${String(value)})`}`);
      }
      return new Buffer(Array.from(value, (one) => one & 255));
    }
    static alloc(size, fill = 0, name) {
      return new Buffer(size).fill(fill, 0, size, name);
    }
    static allocUnsafe(size) { return new Buffer(size); }
    static isBuffer(value) { return value instanceof Buffer; }
    static isEncoding(name) { return String(name).toLowerCase() in { ...ENCODINGS, ...NAMES }; }
    static byteLength(value, name) { return typeof value === "string" ? encoding(name)[0](value).length : value.byteLength; }
    static concat(list, total) {
      const size = total ?? list.reduce((sum, one) => sum + one.length, 0);
      const out = Buffer.alloc(size);
      let at = 0;
      for (const one of list) {
        out.set(one.subarray(0, Math.max(0, size - at)), at);
        at += one.length;
      }
      return out;
    }
    static compare(a, b) { return Buffer.from(a).compare(b); }
    toString(name, start = 0, end = this.length) { return encoding(name)[1](Uint8Array.prototype.subarray.call(this, start, end)); }
    toJSON() { return { type: "Buffer", data: Array.from(this) }; }
    slice(start, end) { return this.subarray(start, end); }
    equals(other) { return this.compare(other) === 0; }
    compare(other) {
      for (let i = 0; i < Math.min(this.length, other.length); i++) {
        if (this[i] !== other[i]) return this[i] < other[i] ? -1 : 1;
      }
      return Math.sign(this.length - other.length);
    }
    copy(target, at = 0, start = 0, end = this.length) {
      const piece = Uint8Array.prototype.subarray.call(this, start, Math.min(end, start + target.length - at));
      target.set(piece, at);
      return piece.length;
    }
    write(value, at = 0, length = this.length - at, name) {
      const bytes = encoding(typeof length === "string" ? length : name)[0](value).slice(0, this.length - at);
      this.set(bytes, at);
      return bytes.length;
    }
    fill(value, start = 0, end = this.length, name) {
      if (typeof value !== "string") return super.fill(value, start, end);
      const bytes = encoding(name)[0](value);
      for (let i = start; i < end; i++) this[i] = bytes.length ? bytes[(i - start) % bytes.length] : 0;
      return this;
    }
    indexOf(value, at = 0) {
      if (typeof value === "number") return super.indexOf(value, at);
      const bytes = typeof value === "string" ? utf8Bytes(value) : value;
      for (let i = at; i + bytes.length <= this.length; i++) {
        if (Array.prototype.every.call(bytes, (byte, j) => this[i + j] === byte)) return i;
      }
      return -1;
    }
    includes(value, at) { return this.indexOf(value, at) >= 0; }
    readUInt8(at = 0) { return this[at]; }
    writeUInt8(value, at = 0) { this[at] = value; return at + 1; }
  }
  const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  for (const [name, size] of [["Int16", 2], ["Uint16", 2], ["Int32", 4], ["Uint32", 4], ["Float32", 4], ["Float64", 8]]) {
    const word = { Uint16: "UInt16", Uint32: "UInt32", Float32: "Float", Float64: "Double" }[name] ?? name;
    for (const [end, little] of [["LE", true], ["BE", false]]) {
      Buffer.prototype[`read${word}${end}`] = function (at = 0) { return view(this)[`get${name}`](at, little); };
      Buffer.prototype[`write${word}${end}`] = function (value, at = 0) {
        view(this)[`set${name}`](at, value, little);
        return at + size;
      };
    }
  }
  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return new Uint8Array(utf8Bytes(String(text))); }
  }
  class TextDecoder {
    constructor(label = "utf-8", options = {}) {
      this.encoding = String(label).toLowerCase();
      this.fatal = options.fatal === true;
    }
    decode(value = new Uint8Array()) {
      const bytes = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
      if (this.encoding !== "utf-8" && this.encoding !== "utf8") return encoding(this.encoding)[1](bytes);
      return utf8Text(bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes, this.fatal);
    }
  }
  function btoa(value) {
    const text = String(value);
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) throw new Error("Invalid character");
    return base64Text(latinBytes(text));
  }
  function atob(value) {
    const text = String(value).replace(/[\t\n\f\r ]/g, "");
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.replace(/=+$/, "").length % 4 === 1) {
      throw new Error("The string to be decoded is not correctly encoded.");
    }
    return latinText(base64Bytes(text));
  }
  return { Buffer, TextEncoder, TextDecoder, atob, btoa, buffer: { Buffer } };
});
