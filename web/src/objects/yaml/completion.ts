/** What may be written at a place in YAML text, by the cluster's schema. */
import { positionAt } from "./position";
import { childOf, type OpenApi, resolved, type Schema, schemaAt, schemaOfKind, typeName } from "./schema";

/** Gets the OpenAPI document for an apiVersion. */
export type SchemaSource = (apiVersion: string) => Promise<OpenApi>;

/** One thing that may be written. */
export interface Option {
  readonly label: string;
  readonly detail: string;
  readonly info: string;
  readonly apply: string;
}

/** What may be written from a place on. */
export interface Completions {
  readonly from: number;
  readonly options: readonly Option[];
}

/** The apiVersion and kind that the document around an offset names; "" of what it does not. */
export function kindAt(text: string, offset: number): { apiVersion: string; kind: string } {
  const begin = Math.max(text.lastIndexOf("\n---", Math.max(offset - 1, 0)) + 1, 0);
  const after = text.indexOf("\n---", offset);
  const document = text.slice(begin, after < 0 ? undefined : after);
  const value = (key: string) =>
    new RegExp(`^${key}:[ \\t]*["']?([^"'\\s#]+)`, "m").exec(document)?.[1] ?? "";
  return { apiVersion: value("apiVersion"), kind: value("kind") };
}

async function schemaFor(text: string, offset: number, source: SchemaSource) {
  const { apiVersion, kind } = kindAt(text, offset);
  if (!apiVersion || !kind) return undefined;
  const api = await source(apiVersion);
  const root = schemaOfKind(api, apiVersion, kind);
  return root && { api, root };
}

/** The names or values that fit at an offset; undefined where no schema is known. */
export async function completionsAt(
  text: string,
  offset: number,
  source: SchemaSource,
): Promise<Completions | undefined> {
  const found = await schemaFor(text, offset, source);
  if (!found) return undefined;
  const { path, at, from } = positionAt(text, offset);
  const schema = schemaAt(found.api, found.root, path);
  return { from, options: at === "value" ? valueOptions(schema) : keyOptions(found.api, schema) };
}

function keyOptions(api: OpenApi, schema: Schema): Option[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, child]) => {
    const full = resolved(api, child);
    const detail = typeName(api, child) + (required.has(name) ? ", required" : "");
    return {
      label: name,
      detail,
      info: full.description ?? "",
      apply: `${name}:${full.properties || full.type === "array" ? "" : " "}`,
    };
  });
}

function valueOptions(schema: Schema): Option[] {
  const values = schema.enum ?? (schema.type === "boolean" ? [true, false] : []);
  const isDefault = (value: unknown) => (schema.default === value ? "default" : "");
  return values.map((value) => ({
    label: String(value),
    detail: isDefault(value),
    info: "",
    apply: String(value),
  }));
}

/** What the field whose value is at an offset is; "" where no schema knows it. */
export async function describe(text: string, offset: number, source: SchemaSource): Promise<string> {
  const found = await schemaFor(text, offset, source);
  if (!found) return "";
  const { path } = positionAt(text, offset);
  const parent = schemaAt(found.api, found.root, path.slice(0, -1));
  const child = childOf(parent, path.at(-1) ?? "");
  if (!child) return "";
  const { description = "" } = resolved(found.api, child);
  return `${path.at(-1) ?? ""}: ${typeName(found.api, child)}\n${description}`.trim();
}
