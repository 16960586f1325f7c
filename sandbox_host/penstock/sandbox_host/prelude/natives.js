// Built-ins whose errors read as V8's do. Loaded when user code mentions one of them.
(function ({ ask, parse, natives }) {
  natives.JSON.parse = function (source, reviver) {
    try {
      return parse(source, reviver);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new SyntaxError(ask("jsonError", String(source)));
    }
  };
  Object.defineProperty(natives.JSON.parse, "name", { value: "parse" });
  const BigInt = new Proxy(natives.BigInt, {
    apply(target, self, [value]) {
      if (value == null) throw new TypeError(`Cannot convert ${value} to a BigInt`);
      return target(value);
    },
  });
  return { JSON: natives.JSON, BigInt };
});
