// `$("Name")`: the items that other nodes put out.
(function (realm) {
  const { ask } = realm;
  function fetcher(name) {
    const seen = new Map();
    // The same item asked for twice is the same object, so that a change made to it is seen.
    return function fetch(op, ...args) {
      const key = JSON.stringify([op, args]);
      if (!seen.has(key)) seen.set(key, ask(op, name, realm.index, ...args));
      return seen.get(key);
    };
  }
  // What a run has asked for; a kept realm sees many runs, each with items of its own.
  let known, items;
  function $(name) {
    if (items !== realm.items) {
      items = realm.items;
      known = new Map();
    }
    if (known.has(name)) return known.get(name);
    ask("nodeExists", name);
    const fetch = fetcher(name);
    const node = {
      all: (branch, run) => fetch("nodeAll", branch, run),
      first: (branch, run) => fetch("nodeAll", branch, run)[0],
      last: (branch, run) => fetch("nodeAll", branch, run).at(-1),
      get item() { return fetch("nodeItem", realm.index); },
      pairedItem: (i) => fetch("nodeItem", i ?? realm.index),
      itemMatching: (i) => {
        if (i === undefined) ask("itemMatchingArgument");
        return fetch("nodeItem", i);
      },
      get isExecuted() { return ask("nodeIsExecuted", name); },
      get params() { return ask("nodeParams", name); },
      get context() { return ask("nodeContext", name); },
    };
    known.set(name, node);
    return node;
  }
  return {
    $,
    $items: (name, output, run) => ask("itemsOf", name ?? null, output ?? 0, run ?? -1),
  };
});
