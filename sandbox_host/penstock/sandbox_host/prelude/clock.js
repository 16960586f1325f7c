// Date on the step's clock, and dates and numbers written for people by Python's runtime.
(function ({ ask, part, natives: { Date, Number } }) {
  const { encode, revive } = part("values");
  const offset = ask("clockOffset");
  const real = Date.now;
  const now = () => real() + offset;
  const written = (names, prototype) => {
    for (const name of names) {
      const value = function (...given) {
        const self = prototype === Date.prototype ? this : Number(this);
        return revive(ask("native", encode(self), name, given.map((one) => encode(one))));
      };
      Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
    }
  };
  written(["toLocaleString", "toLocaleDateString", "toLocaleTimeString"], Date.prototype);
  written(["toLocaleString"], Number.prototype);
  if (!offset) return { Date, Number };
  Date.now = now;
  const Clock = new Proxy(Date, {
    construct: (target, given, self) =>
      Reflect.construct(target, given.length ? given : [now()], self === Clock ? target : self),
    apply: (target) => new target(now()).toString(),
  });
  Date.prototype.constructor = Clock;
  return { Date: Clock, Number };
});
