// The realm of one run of user code. Evaluates to `enter`, through which Python drives the run.
//
// What a fresh realm costs is parsing, so here stands only what every run needs. Names are defined
// when the user's text mentions them, and come from parts that are fetched at their first use. User
// code may change anything it reaches: it harms its own realm only.
(function () {
  const host = globalThis.__host;
  delete globalThis.__host;
  const { parse, stringify } = JSON;
  const parts = {};
  const realm = { ask, part, parse, stringify, natives: { JSON, Date, Number, BigInt }, index: 0, mode: "", logs: [] };
  let user, settled;

  // Python answers {v} or {e: {name, message, …}}; a value with typed parts comes as {t}.
  function ask(op, ...given) {
    const answer = parse(host(op, stringify(given)));
    if (answer.e) throw part("errors").raised(answer.e);
    return "t" in answer ? part("values").revive(answer.t) : answer.v;
  }
  function part(name) {
    return (parts[name] ??= (0, eval)(host("part", name))(realm));
  }
  function define(name, from) {
    const replace = (value) =>
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get: () => part(from)[name],
      set: replace,
    });
  }
  Error.prepareStackTrace = (error, sites) => part("errors").stack(error, sites);

  const failed = (error) => part("errors").failed(error);
  // `json: undefined` would vanish in the text: null says the same (it is there, and no object).
  function settle(value) {
    const items = Array.isArray(value) ? value : realm.mode === "each" ? [value] : [];
    for (const item of items) {
      if (item && typeof item === "object" && "json" in item) item.json ??= null;
    }
    return value;
  }
  function finished(value) {
    try {
      const v = realm.mode === "expression" ? part("extensions").told(value) : settle(value);
      // One text made at once: text put together of pieces is a rope, which Python cannot take.
      return stringify({ v, l: realm.logs.length ? realm.logs.splice(0) : undefined });
    } catch (error) {
      return failed(error);
    }
  }
  const self = {
    get helpers() {
      return part("node").helpers;
    },
  };
  return function enter(op, a, b) {
    if (op === "call") {
      realm.index = a;
      settled = "";
      try {
        const value = user.call(self);
        if (typeof value?.then !== "function") return finished(value);
        value.then((v) => (settled = finished(v)), (e) => (settled = failed(e)));
      } catch (error) {
        return failed(error);
      }
      return "";
    }
    if (op === "take") return settled;
    if (op === "timers") return parts.timers ? parts.timers.fire() : -1;
    if (op === "user") user = a;
    if (op === "boot") {
      realm.mode = a;
      for (const [name, from] of parse(b)) define(name, from);
    }
  };
})();
