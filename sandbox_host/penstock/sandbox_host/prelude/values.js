// Values as tagged JSON, the other half of wire.py.
(function ({ part }) {
  const KINDS = {
    undefined: () => undefined,
    number: (v) => Number(v.v),
    object: (v) => each(v.v, revive),
    bigint: (v) => BigInt(v.v),
    Date: (v) => new Date(v.v ?? NaN),
    Map: (v) => new Map(v.v.map(([key, value]) => [revive(key), revive(value)])),
    Set: (v) => new Set(v.v.map(revive)),
  };
  function each(object, change) {
    const out = {};
    for (const key of Object.keys(object)) out[key] = change(object[key]);
    return out;
  }
  function revive(value) {
    if (Array.isArray(value)) return value.map(revive);
    if (value === null || typeof value !== "object") return value;
    if (!("$" in value)) return each(value, revive);
    const make = KINDS[value.$];
    return make ? make(value) : part("time").wrap(value);
  }
  function encode(value, depth = 0) {
    switch (typeof value) {
      case "undefined":
      case "function":
      case "symbol":
        return { $: "undefined" };
      case "number":
        return Number.isFinite(value) ? value : { $: "number", v: String(value) };
      case "bigint":
        return { $: "bigint", v: String(value) };
      case "object":
        return value === null ? null : encodeObject(value, depth + 1);
      default:
        return value;
    }
  }
  function encodeObject(value, depth) {
    if (depth > 200) throw new TypeError("Converting circular structure to JSON");
    if (Array.isArray(value)) return value.map((one) => encode(one, depth));
    const time = part("time").unwrap(value);
    if (time) return time;
    if (value instanceof Date) return { $: "Date", v: Number.isNaN(+value) ? null : +value };
    if (value instanceof Map) return { $: "Map", v: [...value].map((one) => encode(one, depth)) };
    if (value instanceof Set) return { $: "Set", v: [...value].map((one) => encode(one, depth)) };
    if (value instanceof RegExp) return { $: "RegExp", v: String(value) };
    if (value instanceof Error) return { $: "error", name: String(value.name), message: String(value.message) };
    if (typeof value.toJSON === "function") return encode(value.toJSON(), depth);
    const out = {};
    for (const key of Object.keys(value)) {
      if (value[key] !== undefined) out[key] = encode(value[key], depth);
    }
    return "$" in out ? { $: "object", v: out } : out;
  }
  return { encode: (value) => encode(value), revive };
});
