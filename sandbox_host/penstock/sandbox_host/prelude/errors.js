// Errors in V8's words, with the place in the user's text.
(function (realm) {
  const { ask, stringify } = realm;
  const MARGIN = 1000; // lines before the user's text, see javascript.py
  const isUser = (site) => site.getLineNumber() > MARGIN;
  const line = (site) => site.getLineNumber() - MARGIN;
  const ENTRY = 1; // the prelude's own frame at the bottom
  const rules = [
    [/^cannot read property 'Symbol\.iterator' of (undefined|null)$/, () => "value is not iterable"],
    [/^cannot read property '(.*)' of (undefined|null)$/s, (m) => `Cannot read properties of ${m[2]} (reading '${m[1]}')`],
    [/^cannot set property '(.*)' of (undefined|null)$/s, (m) => `Cannot set properties of ${m[2]} (setting '${m[1]}')`],
    [/^'(.*)' is read-only$/s, () => "Assignment to constant variable."],
    [/^(.*) is not initialized$/s, (m) => `Cannot access '${m[1]}' before initialization`],
    [/^cannot convert to BigInt$/, () => "Cannot convert value to a BigInt"],
    [/^Date value is NaN$/, () => "Invalid time value"],
    [/^invalid array length$/, () => "Invalid array length"],
    [/^cannot convert BigInt to number$/, () => "Cannot mix BigInt and other types, use explicit conversions"],
    [/^cannot convert symbol to string$/, () => "Cannot convert a Symbol value to a string"],
    [/^expecting hex digit$/, () => "URI malformed"],
    [/^circular reference$/, () => "Converting circular structure to JSON"],
    [/^Maximum call stack size exceeded|^stack overflow$/, () => "Maximum call stack size exceeded"],
  ];
  const QUOTED = /^(not a function|not a constructor|value is not iterable)$/;
  function words(error, sites) {
    const message = error.message;
    for (const [pattern, make] of rules) {
      const match = pattern.exec(message);
      if (match) {
        const better = make(match);
        if (better !== "value is not iterable") return better;
        return quoted(better, sites);
      }
    }
    return QUOTED.test(message) ? quoted(message, sites) : message;
  }
  // What V8 says with the expression from the user's text.
  function quoted(message, sites) {
    // A function made here: user code can call this with sites of its own.
    const site = sites.find((one) => isUser(one));
    return site ? ask("words", message, line(site), site.getColumnNumber()) : message;
  }
  function stack(error, sites) {
    const kind = error instanceof Error && Object.getPrototypeOf(error)?.name;
    if (kind === "TypeError" || kind === "RangeError" || kind === "ReferenceError" || kind === "URIError" || kind === "InternalError") {
      const better = words(error, sites);
      if (better !== error.message) error.message = better;
    }
    const lines = [];
    for (const site of sites) {
      const name = site.getFunctionName() || "<anonymous>";
      if (isUser(site)) lines.push(`    at ${name} (code:${line(site)}:${site.getColumnNumber()})`);
      else lines.push(`    at ${name} (native)`);
    }
    return lines.slice(0, lines.length - ENTRY).join("\n");
  }
  function describe(error) {
    if (!(error instanceof Error)) {
      if (error && typeof error === "object") {
        return { name: String(error.name ?? "Error"), message: String(error.message ?? "Unknown error"), stack: "" };
      }
      return { name: "Error", message: String(error), stack: "", thrown: true };
    }
    return {
      name: String(error.name),
      message: String(error.message),
      description: typeof error.description === "string" ? error.description : "",
      stack: String(error.stack ?? ""),
      ours: ours.has(error),
    };
  }
  function failed(error) {
    try {
      return stringify({ e: describe(error), l: realm.logs?.splice(0) });
    } catch {
      return '{"e":{"name":"Error","message":"an error that cannot be shown"}}';
    }
  }
  const ours = new WeakSet();
  function raised(answer) {
    const error = Object.assign(new Error(answer.message), answer);
    if (answer.ours) ours.add(error);
    return error;
  }
  return { stack: (error, sites) => stack(error, sites), failed, raised };
});
