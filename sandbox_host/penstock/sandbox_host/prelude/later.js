// Results that are promised: Python asks again after it ran the jobs that are due.
(function (realm) {
  const { part, finished } = realm;
  let settled = "";
  return function later(op) {
    if (op === "take") return settled;
    if (op === "timers") return realm.fire ? realm.fire() : -1;
    settled = "";
    // What has a `then` need not be a promise.
    const promise = Promise.resolve(op);
    promise.then((v) => (settled = finished(v))).then(undefined, (e) => (settled = part("errors").failed(e)));
    return "";
  };
});
