// The realm of one run of user code. Evaluates to `enter`, through which Python drives the run.
//
// What a fresh realm costs is parsing, so here stands only what every run needs; the words in
// capitals are filled in for the code at hand (realm_source.py). All else comes from parts, fetched
// when first used. User code may change anything it reaches: it harms its own realm only.
(function () {
  const host = globalThis.__host;
  delete globalThis.__host;
  const { parse, stringify } = JSON;
  const parts = {};
  const realm = { host, part, parse, stringify, finished, mode: "MODE", index: 0 };
  let user, items, $input;

  function part(name) {
    realm.ask ??= (0, eval)(host("part", "ask"))(realm);
    return (parts[name] ??= (0, eval)(host("part", name))(realm));
  }
  Error.prepareStackTrace = (error, sites) => part("errors").stack(error, sites);

  function finished(v) {
    realm.atEnd?.();
    FINISH
    // One text made at once: text put together of pieces is a rope, which Python cannot take.
    return stringify({ v, l: realm.logs?.splice(0) });
  }
  // Calls the function for item `op`; the first call brings it, and the items. A name as `op` calls
  // that part. Answers "" when a promise is to be waited for.
  return function enter(op, given, make) {
    if (typeof op === "string") return part(op)(given);
    if (make) {
      user = make;
      items = realm.items = parse(given);
      $input = INPUT;
    }
    realm.index = op;
    try {
      const item = items[op];
      const v = user(NAMES).call(realm.self);
      return typeof v?.then === "function" ? part("later")(v) : finished(v);
    } catch (error) {
      return part("errors").failed(error);
    }
  };
})();
