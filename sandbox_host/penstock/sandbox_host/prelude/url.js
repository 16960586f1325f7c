// URL and URLSearchParams, enough of the standard for http(s) and plain other schemes.
(function () {
  const PORTS = { "http:": "80", "https:": "443", "ftp:": "21", "ws:": "80", "wss:": "443" };
  const escape = (text, keep) => encodeURI(text).replace(/%25(?=[0-9A-Fa-f]{2})/g, "%").replace(keep, (c) => encodeURIComponent(c));
  const encodePart = (text) => encodeURIComponent(text).replace(/%20/g, "+").replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  function decodePart(text) {
    const spaced = text.replace(/\+/g, " ");
    try {
      return decodeURIComponent(spaced);
    } catch {
      return spaced;
    }
  }
  class URLSearchParams {
    #pairs = [];
    #changed;
    constructor(from = "", changed) {
      this.#changed = changed ?? (() => {});
      if (typeof from === "string") {
        for (const pair of from.replace(/^\?/, "").split("&")) {
          if (!pair) continue;
          const [name, ...rest] = pair.split("=");
          this.#pairs.push([decodePart(name), decodePart(rest.join("="))]);
        }
      } else {
        const pairs = typeof from?.[Symbol.iterator] === "function" ? [...from] : Object.entries(from ?? {});
        for (const [name, value] of pairs) this.#pairs.push([String(name), String(value)]);
      }
    }
    append(name, value) { this.#pairs.push([String(name), String(value)]); this.#changed(); }
    delete(name) { this.#pairs = this.#pairs.filter(([key]) => key !== String(name)); this.#changed(); }
    get(name) { return this.#pairs.find(([key]) => key === String(name))?.[1] ?? null; }
    getAll(name) { return this.#pairs.filter(([key]) => key === String(name)).map(([, value]) => value); }
    has(name) { return this.#pairs.some(([key]) => key === String(name)); }
    set(name, value) {
      const at = this.#pairs.findIndex(([key]) => key === String(name));
      if (at < 0) return this.append(name, value);
      this.#pairs = this.#pairs.filter(([key], i) => i <= at || key !== String(name));
      this.#pairs[at][1] = String(value);
      this.#changed();
    }
    sort() { this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)); this.#changed(); }
    forEach(run, self) { for (const [name, value] of this.#pairs) run.call(self, value, name, this); }
    entries() { return this.#pairs.map((pair) => [...pair])[Symbol.iterator](); }
    keys() { return this.#pairs.map(([name]) => name)[Symbol.iterator](); }
    values() { return this.#pairs.map(([, value]) => value)[Symbol.iterator](); }
    [Symbol.iterator]() { return this.entries(); }
    get size() { return this.#pairs.length; }
    toString() { return this.#pairs.map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`).join("&"); }
  }
  function invalid(text) {
    return Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input: text });
  }
  function parse(text) {
    const scheme = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(text);
    if (!scheme) return null;
    const protocol = `${scheme[1].toLowerCase()}:`;
    const special = protocol in PORTS || protocol === "file:";
    const [, beforeHash, hash = ""] = /^([^#]*)(#.*)?$/s.exec(scheme[2]);
    const [, beforeQuery, search = ""] = /^([^?]*)(\?.*)?$/s.exec(beforeHash);
    const rest = special ? beforeQuery.replace(/\\/g, "/") : beforeQuery;
    const slashes = special ? /^\/*/.exec(rest)[0].length > 0 || protocol !== "file:" : rest.startsWith("//");
    const url = { protocol, special, username: "", password: "", hostname: "", port: "", pathname: rest, search: search.length > 1 ? search : "", hash: hash.length > 1 ? hash : "" };
    if (!slashes) return url;
    const body = special ? rest.replace(/^\/*/, "") : rest.slice(2);
    const [, authority, path] = /^([^/]*)(.*)$/s.exec(body);
    const at = authority.lastIndexOf("@");
    if (at >= 0) [url.username, url.password = ""] = authority.slice(0, at).split(/:(.*)/s);
    const place = /^(\[[0-9a-f:.]+\]|[^:]*)(?::(\d*))?$/i.exec(authority.slice(at + 1));
    if (!place || (special && protocol !== "file:" && !place[1])) return null;
    if (/[\s<>^|%\\]/.test(place[1]) || Number(place[2] ?? 0) > 65535) return null;
    url.hostname = special ? place[1].toLowerCase() : place[1];
    url.port = place[2] && place[2] !== PORTS[protocol] ? String(Number(place[2])) : "";
    url.pathname = path || (special ? "/" : "");
    url.hasHost = true;
    return url;
  }
  function normalize(path) {
    const out = [];
    const parts = path.split("/");
    parts.forEach((one, i) => {
      const last = i === parts.length - 1;
      if (one === "..") {
        if (out.length > 1) out.pop();
        if (last) out.push("");
      } else if (one === ".") {
        if (last) out.push("");
      } else out.push(one);
    });
    return out.join("/");
  }
  function resolve(text, base) {
    const absolute = parse(text);
    if (absolute) return absolute;
    const on = base === undefined ? null : parse(String(base).trim());
    if (!on) return null;
    const [, beforeHash, hash = ""] = /^([^#]*)(#.*)?$/s.exec(text);
    const [, path, search = ""] = /^([^?]*)(\?.*)?$/s.exec(beforeHash);
    if (path.startsWith("//")) return parse(on.protocol + text);
    const out = { ...on, search, hash };
    if (!path) return { ...out, search: search || on.search };
    out.pathname = path.startsWith("/") ? path : on.pathname.replace(/[^/]*$/, "") + path;
    return out;
  }
  class URL {
    #url;
    #params;
    constructor(text, base) {
      this.#set(String(text).trim(), base);
    }
    #set(text, base) {
      const url = resolve(text, base);
      if (!url) throw invalid(text);
      if (url.special) url.pathname = normalize(url.pathname);
      url.pathname = url.special || url.hasHost ? escape(url.pathname, /[?#]/g) : url.pathname;
      url.search = url.search && escape(url.search, /[#"<>']/g);
      url.hash = url.hash && escape(url.hash, /["<>`]/g);
      this.#url = url;
      this.#params = undefined;
    }
    static canParse(text, base) { return resolve(String(text).trim(), base) !== null; }
    static parse(text, base) { return URL.canParse(text, base) ? new URL(text, base) : null; }
    get protocol() { return this.#url.protocol; }
    set protocol(value) { this.#url.protocol = `${String(value).replace(/:$/, "")}:`; }
    get username() { return this.#url.username; }
    set username(value) { this.#url.username = encodeURIComponent(value); }
    get password() { return this.#url.password; }
    set password(value) { this.#url.password = encodeURIComponent(value); }
    get hostname() { return this.#url.hostname; }
    set hostname(value) { this.#url.hostname = String(value).toLowerCase(); }
    get port() { return this.#url.port; }
    set port(value) { this.#url.port = String(value) === PORTS[this.protocol] ? "" : String(value); }
    get host() { return this.hostname + (this.port ? `:${this.port}` : ""); }
    set host(value) { [this.hostname, this.port = ""] = String(value).split(":"); }
    get origin() { return this.#url.special && this.protocol !== "file:" ? `${this.protocol}//${this.host}` : "null"; }
    get pathname() { return this.#url.pathname; }
    set pathname(value) { this.#url.pathname = escape(normalize(`/${String(value).replace(/^\//, "")}`), /[?#]/g); }
    get search() { return this.#url.search; }
    set search(value) {
      const text = String(value).replace(/^\?/, "");
      this.#url.search = text ? `?${escape(text, /[#"<>']/g)}` : "";
      this.#params = undefined;
    }
    get searchParams() {
      return (this.#params ??= new URLSearchParams(this.search, () => {
        const text = this.#params.toString();
        this.#url.search = text ? `?${text}` : "";
      }));
    }
    get hash() { return this.#url.hash; }
    set hash(value) {
      const text = String(value).replace(/^#/, "");
      this.#url.hash = text ? `#${escape(text, /["<>`]/g)}` : "";
    }
    get href() {
      const { protocol, username, password, pathname, search, hash, hasHost, special } = this.#url;
      const login = username || password ? `${username}${password ? `:${password}` : ""}@` : "";
      return `${protocol}${hasHost || special ? "//" : ""}${login}${this.host}${pathname}${search}${hash}`;
    }
    set href(value) { this.#set(String(value)); }
    toString() { return this.href; }
    toJSON() { return this.href; }
  }
  return { URL, URLSearchParams, url: { URL, URLSearchParams } };
});
