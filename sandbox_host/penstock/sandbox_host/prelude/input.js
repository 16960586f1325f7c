// The node's own input, by the names that n8n has for it.
(function (realm) {
  const { ask } = realm;
  let items;
  const all = () => (items ??= ask("input"));
  function current() {
    const item = all()[realm.index];
    if (item === undefined && !items.length) ask("noInput");
    return item;
  }
  const $input = {
    all,
    first: () => all()[0],
    last: () => all().at(-1),
    get item() { return all()[realm.index]; },
    get params() { return ask("inputParams"); },
    get context() { return ask("inputContext"); },
  };
  return {
    $input,
    get $json() { return current()?.json; },
    get $data() { return current()?.json; },
    get $binary() { return current()?.binary ?? {}; },
    get $thisItem() { return current(); },
    get $itemIndex() { return realm.index; },
    get $thisItemIndex() { return realm.index; },
    get $position() { return realm.index; },
    get items() { return all(); },
    get item() { return realm.mode === "functionItem" ? all()[realm.index].json : all()[realm.index]; },
  };
});
