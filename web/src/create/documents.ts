/** Text of several YAML documents, and what becomes of each. */
import { parseAllDocuments, stringify } from "yaml";
import { isObject, type Plain } from "../objects/yaml/plain";

/** One document of a text. */
export interface Part {
  readonly index: number;
  readonly value: Plain;
  /** What it is called, such as "Deployment shop/web". */
  readonly title: string;
  /** Why it cannot be created as it is; "" when it can be tried. */
  readonly problem: string;
}

function problemOf(value: Plain): string {
  const metadata = isObject(value.metadata) ? value.metadata : {};
  if (typeof value.apiVersion !== "string" || !value.apiVersion) return "It names no apiVersion.";
  if (typeof value.kind !== "string" || !value.kind) return "It names no kind.";
  if (!metadata.name && !metadata.generateName) return "metadata names no name.";
  return "";
}

function titleOf(value: Plain): string {
  const metadata = isObject(value.metadata) ? value.metadata : {};
  const text = (part: unknown) => (typeof part === "string" ? part : "");
  const name = text(metadata.name) || `${text(metadata.generateName)}*`;
  const place = text(metadata.namespace) ? `${text(metadata.namespace)}/${name}` : name;
  return `${text(value.kind) || "Object"} ${place}`;
}

/** The documents of a text; of a List its items. Empty documents are passed over. */
export function partsOf(text: string): Part[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  const values = documents.flatMap((document): { value: unknown; problem: string }[] => {
    const [error] = document.errors;
    if (error) return [{ value: {}, problem: error.message.split("\n")[0] ?? "" }];
    const value: unknown = document.toJS();
    if (value === null || value === undefined) return [];
    const items =
      isObject(value) && /List$/.test(String(value.kind)) && Array.isArray(value.items) ? value.items : null;
    return items === null
      ? [{ value, problem: "" }]
      : items.map((item: unknown) => ({ value: item, problem: "" }));
  });
  return values.map(({ value, problem }, index) => {
    if (!isObject(value))
      return { index, value: {}, title: `Document ${index + 1}`, problem: "It is no object." };
    const title = problem ? `Document ${index + 1}` : titleOf(value);
    return { index, value, title, problem: problem || problemOf(value) };
  });
}

/** Values as text of several documents. */
export function toDocuments(values: readonly unknown[]): string {
  return values.map((value) => stringify(value, { lineWidth: 0 })).join("---\n");
}

/** Two texts one after the other, as documents of one. */
export function appended(text: string, more: string): string {
  if (text.trim() === "") return more;
  return `${text.trimEnd()}\n---\n${more}`;
}
