/** The cluster's own OpenAPI v3: what an object of a kind may hold. */
import { groupOf } from "../../kube/resources";

/** A schema, as far as completion and validation read it. */
export interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-group-version-kind"?: readonly { group: string; version: string; kind: string }[];
}

/** An OpenAPI document of one group and version. */
export interface OpenApi {
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

/** The schema itself: references followed, a single `allOf` taken for it. Its own description comes first. */
export function resolved(api: OpenApi, schema: Schema | undefined): Schema {
  let found = schema ?? {};
  let { description } = found;
  for (let hops = 0; hops < 10; hops += 1) {
    const next = found.$ref ? api.components?.schemas?.[found.$ref.split("/").pop() ?? ""] : found.allOf?.[0];
    if (!next) break;
    found = next;
    description ??= next.description;
  }
  return description === undefined ? found : { ...found, description };
}

/** The schema of a kind; undefined where the document has none. */
export function schemaOfKind(api: OpenApi, apiVersion: string, kind: string): Schema | undefined {
  const group = groupOf(apiVersion);
  const version = apiVersion.split("/").pop();
  return Object.values(api.components?.schemas ?? {}).find((schema) =>
    (schema["x-kubernetes-group-version-kind"] ?? []).some(
      (each) => each.group === group && each.version === version && each.kind === kind,
    ),
  );
}

/** The schema of a part of an object; an empty one where nothing is known of it. */
export function schemaAt(api: OpenApi, root: Schema | undefined, path: readonly (string | number)[]): Schema {
  let found = resolved(api, root);
  for (const key of path) found = resolved(api, childOf(found, key));
  return found;
}

/** The schema of one field or item. */
export function childOf(schema: Schema, key: string | number): Schema | undefined {
  if (typeof key === "number") return schema.items;
  const own = schema.properties?.[key];
  if (own) return own;
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

/** Whether an object of this schema may hold any field. */
export function isOpen(schema: Schema): boolean {
  return (
    schema["x-kubernetes-preserve-unknown-fields"] === true ||
    (schema.additionalProperties !== undefined && schema.additionalProperties !== false) ||
    !schema.properties
  );
}

/** The name of a schema's type, for people: `integer`, `list of Container`. */
export function typeName(api: OpenApi, schema: Schema): string {
  const found = resolved(api, schema);
  if (found["x-kubernetes-int-or-string"] || found.format === "int-or-string") return "integer or string";
  if (found.type === "array") return `list of ${typeName(api, found.items ?? {})}`;
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (ref && found.properties) return ref.split(".").pop() ?? "object";
  return found.type ?? "any";
}

/** The path of the OpenAPI document for an apiVersion, under the API server's root. */
export function documentPath(apiVersion: string): string {
  return apiVersion.includes("/") ? `/openapi/v3/apis/${apiVersion}` : `/openapi/v3/api/${apiVersion}`;
}
