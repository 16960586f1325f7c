// setTimeout and its family. Python sleeps between `fire` calls, so waiting costs no CPU.
(function (realm) {
  const due = new Map();
  let last = 0;
  function add(run, delay, again, given) {
    const every = Math.max(Number(delay) || 0, again ? 1 : 0);
    due.set(++last, { run, given, at: Date.now() + every, every: again ? every : -1 });
    return last;
  }
  const clear = (id) => void due.delete(id);
  // Runs what is due; answers the milliseconds until the next one, -1 when none is left.
  realm.fire = function () {
    const now = Date.now();
    for (const [id, timer] of [...due].sort((a, b) => a[1].at - b[1].at)) {
      if (timer.at > now || !due.has(id)) continue;
      if (timer.every < 0) due.delete(id);
      else timer.at = now + timer.every;
      timer.run(...timer.given);
      return 0;
    }
    let next = -1;
    for (const timer of due.values()) {
      const left = Math.max(timer.at - now, 1);
      next = next < 0 ? left : Math.min(next, left);
    }
    return next;
  };
  return {
    setTimeout: (run, delay, ...given) => add(run, delay, false, given),
    setInterval: (run, delay, ...given) => add(run, delay, true, given),
    setImmediate: (run, ...given) => add(run, 0, false, given),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
    queueMicrotask: (run) => void Promise.resolve().then(run),
  };
});
