import type { KubeObject } from "../live/protocol";

export type { KubeObject, ObjectMeta, OwnerReference, Tone } from "../live/protocol";

/** A value of JSON. */
export type Json = string | number | boolean | null | Json[] | JsonObject;

/** An object of JSON. */
export interface JsonObject {
  [key: string]: Json | undefined;
}

/** Which manager last wrote which fields, and when. */
export interface ManagedFields {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  fieldsV1?: JsonObject;
  subresource?: string;
}

/** The value at a path of keys; undefined where a part is missing. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}

/** The text at a path; "" where there is none. */
export function textAt(value: unknown, ...path: (string | number)[]): string {
  const found = at(value, ...path);
  return typeof found === "string" ? found : typeof found === "number" ? String(found) : "";
}

/** The number at a path; `otherwise` where there is none. */
export function numberAt(value: unknown, path: (string | number)[], otherwise = 0): number {
  const found = at(value, ...path);
  return typeof found === "number" ? found : otherwise;
}

/** The list at a path; empty where there is none. */
export function listAt<T = unknown>(value: unknown, ...path: (string | number)[]): T[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? (found as T[]) : [];
}

/** The map of texts at a path; empty where there is none. */
export function mapAt(value: unknown, ...path: (string | number)[]): Record<string, string> {
  const found = at(value, ...path);
  return typeof found === "object" && found !== null ? (found as Record<string, string>) : {};
}

/** Seconds since the epoch of an RFC 3339 time; 0 without one. */
export function secondsOf(time: string | undefined): number {
  const found = time ? Date.parse(time) / 1000 : 0;
  return Number.isFinite(found) ? found : 0;
}

/** `namespace/name`, or the name alone of an object without namespace. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

/** The entries of `metadata.managedFields`. */
export function managedFieldsOf(object: KubeObject): ManagedFields[] {
  return listAt<ManagedFields>(object, "metadata", "managedFields");
}
