// Prints the diagnostics of an AsyncAPI document as JSON; exit code 1 when there is an error (severity 0).
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf-8"));
const messages = document?.allMessages().length ?? 0;
console.log(JSON.stringify({ messages, diagnostics: diagnostics.map(({ severity, message, path }) => ({ severity, message, path })) }));
process.exit(diagnostics.some(({ severity }) => severity === 0) ? 1 : 0);
