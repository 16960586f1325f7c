// console: lines for the step's log, bounded so that a chatty loop cannot fill memory.
(function (realm) {
  const logs = (realm.logs = []);
  const LINES_MAX = 1000;
  const LENGTH_MAX = 4000;
  function show(value) {
    if (typeof value === "string") return value;
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (typeof value === "object" && value !== null) {
      try {
        return JSON.stringify(value);
      } catch {
        return String(value);
      }
    }
    return String(value);
  }
  function write(...values) {
    if (logs.length < LINES_MAX) logs.push(values.map(show).join(" ").slice(0, LENGTH_MAX));
  }
  const console = { log: write, info: write, warn: write, error: write, debug: write, trace: write };
  for (const name of ["table", "dir"]) console[name] = write;
  for (const name of ["group", "groupEnd", "time", "timeEnd", "count", "assert"]) console[name] = () => {};
  return { console };
});
