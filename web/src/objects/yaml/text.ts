/** Objects as YAML text, and back. */
import { parseDocument, stringify } from "yaml";
import type { KubeObject } from "../../live/protocol";
import { isObject } from "./plain";

const ORDER = ["apiVersion", "kind", "metadata", "type", "spec", "data", "stringData", "rules", "status"];

/** The object as a person edits it: without managed fields, and without the status, which only controllers write. */
export function editable(object: KubeObject, withStatus = false): Record<string, unknown> {
  const { managedFields: _, ...metadata } = object.metadata;
  const all: Record<string, unknown> = { ...object, metadata };
  if (!withStatus) delete all.status;
  const rank = (key: string) => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length - 1.5);
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => rank(a) - rank(b)));
}

/** The object as YAML for a comparison: without what the cluster counts by itself. */
export function comparable(object: KubeObject): string {
  const { metadata, ...rest } = editable(object);
  const { resourceVersion: _, generation: __, ...kept } = isObject(metadata) ? metadata : {};
  return toYaml(editable({ ...rest, metadata: kept } as unknown as KubeObject));
}

/** YAML as kubectl prints it. */
export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** What a text holds. Throws an Error with the first thing that is wrong with it. */
export function fromYaml(text: string): Record<string, unknown> {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error) throw new Error(error.message.split("\n")[0]);
  const value: unknown = document.toJS();
  if (!isObject(value)) throw new Error("This is to be an object: a map with apiVersion, kind and metadata.");
  return value;
}

/** Why a text may not be written over an object: it is of another one. "" when it may. */
export function otherIdentity(before: KubeObject, after: Record<string, unknown>): string {
  const metadata = isObject(after.metadata) ? after.metadata : {};
  const pairs: [string, unknown, unknown][] = [
    ["apiVersion", before.apiVersion, after.apiVersion],
    ["kind", before.kind, after.kind],
    ["metadata.name", before.metadata.name, metadata.name],
    ["metadata.namespace", before.metadata.namespace, metadata.namespace],
  ];
  const changed = pairs.find(([, was, is]) => was !== is);
  if (!changed) return "";
  return `${changed[0]} cannot be changed: that would be another object. Create one instead.`;
}
