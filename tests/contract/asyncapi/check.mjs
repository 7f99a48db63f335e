// Prints what the parser says of each AsyncAPI document as JSON, by its path.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const found = {};
for (const path of process.argv.slice(2)) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(path, "utf-8"));
  const errors = diagnostics.filter(({ severity }) => severity === 0).map(({ message, path }) => ({ message, path }));
  found[path] = { messages: document?.allMessages().length ?? 0, errors };
}
console.log(JSON.stringify(found));
