// luxon's DateTime, Duration and Interval: wrappers whose every method Python's runtime answers, so
// that dates in code and dates in expressions are the same dates.
(function ({ ask, part }) {
  const { encode, revive } = part("values");
  const names = ask("timeNames");
  const states = new WeakMap();
  const classes = {};

  function wrap(state) {
    const made = Object.create(classes[state.$].prototype);
    states.set(made, state);
    return made;
  }
  const unwrap = (value) => states.get(value);
  const call = (state, name, given) => revive(ask("timeCall", state, name, given.map((one) => encode(one))));

  for (const kind of ["DateTime", "Duration", "Interval"]) {
    const { methods, properties, statics } = names[kind];
    const Class = { [kind]: class {} }[kind];
    for (const name of methods) {
      const method = function (...given) { return call(states.get(this), name, given); };
      Object.defineProperty(Class.prototype, name, { value: method, writable: true, configurable: true });
    }
    for (const name of properties) {
      const get = function () { return revive(ask("timeGet", states.get(this), name)); };
      Object.defineProperty(Class.prototype, name, { get, configurable: true });
    }
    for (const name of statics) {
      const run = (...given) => revive(ask("timeStatic", kind, name, given.map((one) => encode(one))));
      Object.defineProperty(Class, name, { value: run, writable: true, configurable: true });
    }
    Object.defineProperty(Class, Symbol.hasInstance, { value: (value) => states.get(value)?.$ === kind });
    Class.prototype[Symbol.toPrimitive] = function (hint) {
      const state = states.get(this);
      if (hint === "number" && kind !== "Interval") return kind === "DateTime" ? state.ms ?? NaN : this.toMillis();
      return ask("timeText", state);
    };
    for (const name of ["toString", "toJSON"]) {
      if (methods.includes(name)) continue;
      Object.defineProperty(Class.prototype, name, { value() { return ask("timeText", states.get(this)); } });
    }
    classes[kind] = Class;
  }
  for (const name of names.formats) classes.DateTime[name] = revive(ask("timeStatic", "DateTime", name, null));
  return {
    ...classes,
    luxon: { ...classes },
    wrap,
    unwrap,
    get $now() { return revive(ask("now")); },
    get $today() { return revive(ask("today")); },
  };
});
