// Names that reach beyond the node's own input: other nodes, the workflow, the execution.
(function (realm) {
  const { ask } = realm;
  const { encode, revive } = realm.part("values");
  const settings = ask("settings");
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
    $node: legacy(here),
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
