/** What is wrong with YAML text by the cluster's own schema, and where. */
import { isMap, isScalar, isSeq, type Document, type Node, type Pair } from "yaml";
import { childOf, isOpen, type OpenApi, resolved, type Schema, typeName } from "./schema";

/** Something wrong, at a stretch of the text. */
export interface Problem {
  readonly from: number;
  readonly to: number;
  readonly message: string;
  readonly severity: "error" | "warning";
}

type Range = readonly [number, number];

const rangeOf = (node: unknown, otherwise: Range): Range => {
  const range = (node as Node | null)?.range;
  return range ? [range[0], range[1]] : otherwise;
};

/** What a parsed document has wrong: its syntax first, then by the schema. */
export function problemsOf(document: Document.Parsed, api: OpenApi, schema: Schema | undefined): Problem[] {
  const syntax = [...document.errors, ...document.warnings].map(({ pos, message, name }): Problem => ({
    from: pos[0],
    to: Math.max(pos[1], pos[0] + 1),
    message: message.split("\n")[0] ?? message,
    severity: name === "YAMLWarning" ? "warning" : "error",
  }));
  if (syntax.length > 0 || !schema) return syntax;
  return check(api, resolved(api, schema), document.contents, [0, 1]);
}

function check(api: OpenApi, schema: Schema, node: unknown, around: Range): Problem[] {
  const range = rangeOf(node, around);
  if (isMap(node)) return checkMap(api, schema, node.items, range);
  if (isSeq(node)) {
    if (schema.type && schema.type !== "array") return [wrongType(api, schema, range)];
    const items = resolved(api, schema.items);
    return node.items.flatMap((item) => check(api, items, item, range));
  }
  return isScalar(node) ? checkScalar(api, schema, node.value, range) : [];
}

function checkMap(api: OpenApi, schema: Schema, pairs: readonly Pair[], range: Range): Problem[] {
  if (schema.type && schema.type !== "object") return [wrongType(api, schema, range)];
  const found: Problem[] = [];
  const keys = new Set<string>();
  for (const { key, value } of pairs) {
    const name = isScalar(key) ? String(key.value) : "";
    const keyRange = rangeOf(key, range);
    keys.add(name);
    const child = childOf(schema, name);
    if (child) found.push(...check(api, resolved(api, child), value, keyRange));
    else if (!isOpen(schema))
      found.push({ ...place(keyRange), message: unknownField(schema, name), severity: "error" });
  }
  for (const name of schema.required ?? [])
    if (!keys.has(name)) {
      const message = `${name} is required here.`;
      found.push({ from: range[0], to: Math.min(range[1], range[0] + 1), message, severity: "error" });
    }
  return found;
}

const place = ([from, to]: Range) => ({ from, to: Math.max(to, from + 1) });

function unknownField(schema: Schema, name: string): string {
  const close = Object.keys(schema.properties ?? {}).find(
    (each) => each.toLowerCase() === name.toLowerCase(),
  );
  return `There is no field ${name} here.${close ? ` Did you mean ${close}?` : ""}`;
}

function wrongType(api: OpenApi, schema: Schema, range: Range): Problem {
  return {
    ...place(range),
    message: `This is to be of the type ${typeName(api, schema)}.`,
    severity: "error",
  };
}

function checkScalar(api: OpenApi, schema: Schema, value: unknown, range: Range): Problem[] {
  if (value === null || !fits(schema, value)) return value === null ? [] : [wrongType(api, schema, range)];
  if (schema.enum && !schema.enum.includes(value))
    return [{ ...place(range), message: `One of: ${schema.enum.join(", ")}.`, severity: "error" }];
  if (typeof value === "number" && schema.minimum !== undefined && value < schema.minimum)
    return [{ ...place(range), message: `At least ${schema.minimum}.`, severity: "error" }];
  return [];
}

function fits(schema: Schema, value: unknown): boolean {
  if (schema["x-kubernetes-int-or-string"] || schema.format === "int-or-string" || !schema.type) return true;
  switch (schema.type) {
    case "string":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return Number.isInteger(value);
    case "number":
      return typeof value === "number";
    default:
      return false;
  }
}
