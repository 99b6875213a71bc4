// Reads a JSON list of LogQL expressions from standard input, writes a JSON list of their faults:
// [{"index": 0, "from": 12, "to": 13, "text": "…"}]. Syntax only: what Loki refuses by meaning is for tests/rules.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const modules = createRequire(pathToFileURL(join(resolve(process.argv[2]), "package.json")));
const { parser } = await import(pathToFileURL(modules.resolve("@grafana/lezer-logql")).href);

const expressions = JSON.parse(readFileSync(0, "utf8"));
const faults = [];
expressions.forEach((text, index) => {
  parser.parse(text).iterate({
    enter(node) {
      if (node.type.isError) {
        const around = text.slice(Math.max(0, node.from - 20), node.to + 20);
        faults.push({ index, from: node.from, to: node.to, text: around });
      }
    },
  });
});
process.stdout.write(JSON.stringify(faults));
