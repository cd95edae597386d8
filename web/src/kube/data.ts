import type { DataObject } from "./kinds";

/** One key of a ConfigMap or Secret. `value` is empty where it is not at hand: of Secrets only the length is. */
export interface DataKey {
  key: string;
  length: number | undefined;
  value: string;
}

/** The keys of a ConfigMap or Secret by name, with their lengths in bytes. */
export function keysOf({ data = {}, binaryData = {}, kind }: DataObject): DataKey[] {
  const found = [
    ...Object.entries(data).map(([key, value]) => one(key, value, kind === "Secret")),
    ...Object.entries(binaryData).map(([key, value]) => ({ ...one(key, value, true), value: "(binary)" })),
  ];
  return found.sort((a, b) => a.key.localeCompare(b.key));
}

function one(key: string, value: string | number, encoded: boolean): DataKey {
  // The back end sends a Secret's length in its value's place.
  if (typeof value === "number") return { key, length: value, value: "" };
  const length = encoded ? base64Length(value) : new TextEncoder().encode(value).length;
  return { key, length, value: encoded ? "" : value };
}

function base64Length(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return Math.max(0, (text.length / 4) * 3 - padding);
}

/** The text that a base64 value stands for; says so where it is not text. */
export function decoded(value: string): string {
  const bytes = Uint8Array.from(atob(value), (each) => each.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return `(${bytes.length} bytes that are no text)\n${value}`;
  }
}

/** A text as Secrets hold it. */
export function encoded(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
