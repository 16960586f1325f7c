// Global names that come from parts, each made at its first use; assigning replaces one.
(function (realm) {
  // As they are before the user's code can change them.
  realm.natives = { JSON, Date, Number, BigInt };
  realm.self = { get helpers() { return realm.part("node").helpers; } };
  return function define(wanted) {
    for (const [name, from] of realm.parse(wanted)) {
      if (!name) {
        realm.part(from);
        continue;
      }
      Object.defineProperty(globalThis, name, {
        configurable: true,
        get: () => realm.part(from)[name],
        set: (value) =>
          void Object.defineProperty(globalThis, name, { value, writable: true, configurable: true }),
      });
    }
  };
});
