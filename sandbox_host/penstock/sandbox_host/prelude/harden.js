// Makes a realm that can be kept from run to run: all that is in it is frozen, so a run cannot leave
// anything where the next one finds it. See kept_realms.py for the whole argument.
(function (realm) {
  const { part } = realm;
  const { ownKeys, getPrototypeOf, getOwnPropertyDescriptor, defineProperty } = Reflect;
  const { freeze, isExtensible, prototype: root } = Object;
  const world = globalThis;
  // Objects that no name leads to, but syntax or a method's result does.
  const hidden = [
    function* () {}, async () => {}, async function* () {}, (function* () {})(), (async function* () {})(),
    [].values(), new Map().keys(), new Set().keys(), ""[Symbol.iterator](), "".matchAll(/a/g),
    [].values().map(Object), Iterator.from({ next() {} }),
    (function () { "use strict"; return arguments; })(),
  ];
  let names = 0;

  // All objects that can be reached from here, and those among them that others inherit from.
  function found() {
    const all = new Set([world, ...hidden]);
    const parents = new Set();
    const meet = (value) => {
      if ((typeof value === "object" && value !== null) || typeof value === "function") all.add(value);
    };
    for (const object of all) {
      const parent = getPrototypeOf(object);
      meet(parent);
      if (parent) parents.add(parent);
      for (const key of ownKeys(object)) {
        const { value, get, set } = getOwnPropertyDescriptor(object, key);
        meet(value), meet(get), meet(set);
        if (key === "prototype" && value) parents.add(value);
      }
    }
    return { all, parents };
  }
  // Assigning to an object a name that is frozen in its prototype must work as it always does.
  function open(parent) {
    for (const key of ownKeys(parent)) {
      const { value, writable, configurable, enumerable } = getOwnPropertyDescriptor(parent, key);
      if (!writable || !configurable) continue;
      const { get, set } = {
        get() { return value; },
        set(given) {
          if (this === parent || (typeof this !== "object" && typeof this !== "function")) return;
          defineProperty(this, key, { value: given, writable: true, enumerable: true, configurable: true });
        },
      };
      defineProperty(parent, key, { get: freeze(get), set: freeze(set), enumerable, configurable });
    }
  }
  function harden() {
    part("ask"), part("errors");
    realm.self = undefined; // an object that all runs would share
    delete world.WeakRef, delete world.FinalizationRegistry;
    for (const key of ownKeys(world)) {
      defineProperty(world, key, { value: world[key], writable: false, configurable: false });
    }
    // Their setters keep what they are given in the engine, where no freezing helps.
    for (const key of ["prepareStackTrace", "stackTraceLimit"]) {
      defineProperty(Error, key, { value: Error[key], writable: false, configurable: false });
    }
    const { all, parents } = found();
    parents.forEach(open);
    // The global object stays open, for code that assigns to names it has not declared.
    for (const object of all) if (object !== world) freeze(object);
    names = ownKeys(world).length;
  }
  const isSpoiled = () =>
    ownKeys(world).length !== names || getPrototypeOf(world) !== root || !isExtensible(world);
  function check() {
    realm.logs?.splice(0); // lines that were written while the result was
    return isSpoiled();
  }
  return (op) => (op === "check" ? check() : harden());
});
