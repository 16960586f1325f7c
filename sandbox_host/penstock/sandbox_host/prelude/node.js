// Names that reach beyond the node's own input: other nodes, the workflow, the execution.
(function (realm) {
  const { ask } = realm;
  const { encode, revive } = realm.part("values");
  const settings = ask("settings");
  function fetcher(name) {
    const seen = new Map();
    // The same item asked for twice is the same object, so that a change made to it is seen.
    return function fetch(op, ...args) {
      const key = JSON.stringify([op, args]);
      if (!seen.has(key)) seen.set(key, ask(op, name, realm.index, ...args));
      return seen.get(key);
    };
  }
  const known = new Map();
  function $(name) {
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
  function legacy(index) {
    return new Proxy({}, {
      get(_, name) {
        if (typeof name !== "string") return undefined;
        ask("nodeExists", name);
        return {
          get json() { return ask("legacyItem", name, index())?.json; },
          get binary() { return ask("legacyItem", name, index())?.binary; },
          get context() { return ask("nodeContext", name); },
          get parameter() { return ask("nodeParams", name); },
          get runIndex() { return ask("nodeRunIndex", name); },
        };
      },
      has: (_, name) => ask("nodeIsKnown", name),
    });
  }
  const here = () => realm.index;
  const refuse = (what) => () => ask("refuse", what);
  const $execution = {
    id: settings.execution.id,
    mode: settings.execution.mode,
    resumeUrl: settings.execution.resumeUrl,
    resumeFormUrl: settings.execution.resumeFormUrl,
    customData: {
      set: (key, value) => ask("customSet", key, value),
      get: (key) => ask("customGet", key),
      setAll: (values) => { for (const key of Object.keys(values)) ask("customSet", key, values[key]); },
      getAll: () => ask("customAll"),
    },
  };
  const $env = new Proxy({}, { get: refuse("env"), has: () => false });
  const request = refuse("network");
  const held = new Map();
  function $getWorkflowStaticData(kind) {
    if (!held.has(kind)) held.set(kind, ask("static", kind));
    realm.atEnd = () => held.forEach((data, of) => ask("keepStatic", of, data));
    return held.get(kind);
  }
  const modules = {};
  function require(name) {
    const wanted = String(name).replace(/^node:/, "");
    if (!(wanted in settings.modules)) ask("refuseModule", String(name));
    return (modules[wanted] ??= realm.part(settings.modules[wanted])[wanted]);
  }
  const shortcut = (name) => (...given) => revive(ask("shortcut", here(), name, given.map((one) => encode(one))));
  return {
    ...Object.fromEntries(settings.shortcuts.map((name) => [name, shortcut(name)])),
    $,
    $node: legacy(here),
    $items: (name, output, run) => ask("itemsOf", name ?? null, output ?? 0, run ?? -1),
    $item: (index) => ({ $node: legacy(() => index), get $json() { return realm.items[index]?.json; } }),
    $execution,
    $env,
    $vars: new Proxy({}, { get: () => undefined }),
    $secrets: new Proxy({}, { get: () => undefined }),
    $evaluateExpression: (source, i) => revive(ask("evaluate", source, i ?? here())),
    get $prevNode() { return ask("prevNode"); },
    get $parameter() { return ask("parameters", here()); },
    get $rawParameter() { return ask("rawParameters"); },
    $getPairedItem: (name, _source, paired) => ask("nodeItem", name, here(), paired?.item ?? here()),
    getNodeParameter: (name, i) => ask("parameter", name, i ?? here()),
    ...settings.constants,
    global: globalThis,
    helpers: {
      httpRequest: request,
      request,
      httpRequestWithAuthentication: request,
      requestWithAuthentication: request,
    },
    require,
    $getWorkflowStaticData,
    getWorkflowStaticData: $getWorkflowStaticData,
  };
});
