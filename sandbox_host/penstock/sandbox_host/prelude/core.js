// The realm of one run of user code. Evaluates to `enter`, through which Python drives the run.
//
// What a fresh realm costs is parsing, so here stands only what nearly every run needs: the node's
// own input. All other names come from parts, fetched when the code first uses one. User code may
// change anything it reaches: it harms its own realm only.
(function () {
  const host = globalThis.__host;
  delete globalThis.__host;
  const { parse, stringify } = JSON;
  const parts = {};
  const realm = { ask, part, parse, stringify, natives: { JSON, Date, Number, BigInt }, index: 0, mode: "", logs: [], self: undefined };
  let user, names, items, $input, settled;

  // Python answers {v} or {e: {name, message, …}}; a value with typed parts comes as {t}.
  function ask(op, ...given) {
    const answer = parse(host(op, stringify(given)));
    if (answer.e) throw part("errors").raised(answer.e);
    return answer.v;
  }
  function part(name) {
    return (parts[name] ??= (0, eval)(host("part", name))(realm));
  }
  Error.prepareStackTrace = (error, sites) => part("errors").stack(error, sites);

  function value(name) {
    const item = items[realm.index];
    if (name === "$input") return $input;
    if (name === "items") return items;
    if (name === "item") return realm.mode === "functionItem" ? item.json : item;
    if (name === "$json" || name === "$data") return item?.json;
    if (name === "$binary") return item?.binary ?? {};
    return name === "$thisItem" ? item : realm.index;
  }
  function finished(v) {
    try {
      realm.atEnd?.();
      if (realm.mode === "expression") v = part("extensions").told(v);
      else if (Array.isArray(v)) v.forEach(settle);
      else if (realm.mode === "each") settle(v);
      // One text made at once: text put together of pieces is a rope, which Python cannot take.
      return stringify({ v, l: realm.logs.length ? realm.logs.splice(0) : undefined });
    } catch (error) {
      return part("errors").failed(error);
    }
  }
  // `json: undefined` would vanish in the text: null says the same (it is there, and no object).
  function settle(item) {
    if (item && typeof item === "object" && "json" in item) item.json ??= null;
  }
  return function enter(op, a, b) {
    if (op === "call") {
      realm.index = a;
      settled = "";
      try {
        const returned = user(...names.map(value)).call(realm.self);
        if (typeof returned?.then !== "function") return finished(returned);
        returned.then((v) => (settled = finished(v)), (e) => (settled = part("errors").failed(e)));
      } catch (error) {
        return part("errors").failed(error);
      }
      return "";
    }
    if (op === "take") return settled;
    if (op === "timers") return parts.timers ? parts.timers.fire() : -1;
    if (op === "user") user = a;
    if (op === "boot") {
      [realm.mode, names] = parse(a);
      realm.items = items = parse(b);
      $input = {
        all: () => items,
        first: () => items[0],
        last: () => items.at(-1),
        get item() { return items[realm.index]; },
        get params() { return ask("inputParams"); },
        get context() { return ask("inputContext"); },
      };
    }
    if (op === "define") part("define")(parse(a));
  };
})();
