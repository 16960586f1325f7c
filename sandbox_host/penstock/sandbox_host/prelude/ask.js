// Questions to Python, which answers {v} or {e: {name, message, …}}.
(function ({ host, part, parse, stringify }) {
  return function ask(op, ...given) {
    const answer = parse(host(op, stringify(given)));
    if (answer.e) throw part("errors").raised(answer.e);
    return answer.v;
  };
});
