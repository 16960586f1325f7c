"""The page at `/api-docs`: the API for people, made in the browser from its OpenAPI document."""

API_DOCS = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Penstock API</title>
<style>
 body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;
  color-scheme:light dark}
 code{font-family:ui-monospace,monospace} h2{margin:2rem 0 .5rem;text-transform:capitalize}
 details{border:1px solid #8884;border-radius:.4rem;padding:.4rem .8rem;margin:.4rem 0}
 summary{cursor:pointer} summary b{display:inline-block;width:4.5rem}
 pre{overflow:auto;background:#8881;padding:.6rem;border-radius:.3rem}
</style>
<h1>Penstock API</h1>
<p>Send <code>Authorization: Bearer &lt;token&gt;</code>; the token stands in
<code>owner-token</code> of the data directory. For programs:
<a href="/api/v1/openapi.json">openapi.json</a>.</p>
<main>Loading</main>
<script>
const element = (name, text) => Object.assign(document.createElement(name), {textContent: text});
fetch("/api/v1/openapi.json").then(answer => answer.json()).then(api => {
  const main = document.querySelector("main"), tags = {};
  main.textContent = "";
  for (const [path, operations] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags[0];
      if (!tags[tag]) { tags[tag] = element("section"); tags[tag].append(element("h2", tag));
        main.append(tags[tag]); }
      const details = element("details"), head = element("summary");
      head.append(element("b", method.toUpperCase()), element("code", path),
        element("span", " - " + operation.summary));
      const shown = {parameters: operation.parameters, requestBody: operation.requestBody,
        responses: operation.responses};
      details.append(head, element("pre", JSON.stringify(shown, null, 1)));
      tags[tag].append(details);
    }
  const schemas = element("section");
  schemas.append(element("h2", "schemas"));
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    const details = element("details");
    details.append(element("summary", name), element("pre", JSON.stringify(schema, null, 1)));
    schemas.append(details);
  }
  main.append(schemas);
});
</script>
</html>
"""
