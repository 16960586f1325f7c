// JSON whose parse errors read as V8's do. The part is loaded when user code mentions JSON.
(function ({ ask, parse, json }) {
  json.parse = function (source, reviver) {
    try {
      return parse(source, reviver);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new SyntaxError(ask("jsonError", String(source)));
    }
  };
  return { JSON: json };
});
