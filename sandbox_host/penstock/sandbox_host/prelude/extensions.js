// What expressions have beyond JavaScript: n8n's extension methods, answered by Python's runtime.
(function (realm) {
  const { ask, part } = realm;
  const { encode, revive } = part("values");
  // A call `value.name(...given)` whose name is an extension's; a native method of it wins.
  function __extend(value, name, given) {
    const isNative = value != null && typeof value[name] === "function" && !part("time").unwrap(value);
    if (isNative) return value[name](...given);
    return revive(ask("extend", realm.index, encode(value), name, given.map((one) => encode(one))));
  }
  function told(value) {
    if (typeof value === "function") ask("isFunction");
    return encode(value);
  }
  return { __extend, told };
});
