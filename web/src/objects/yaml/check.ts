/** Validates text of one or several documents by the cluster's schemas. */
import { parseAllDocuments } from "yaml";
import type { SchemaSource } from "./completion";
import { isObject } from "./plain";
import { schemaOfKind } from "./schema";
import { type Problem, problemsOf } from "./validate";

/** What is wrong with a text, document by document. */
export async function checkText(text: string, source: SchemaSource): Promise<readonly Problem[]> {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  const found = documents.map(async (document) => {
    const value: unknown = document.errors.length > 0 ? undefined : document.toJS();
    if (value === null) return [];
    const { apiVersion, kind } = isObject(value) ? value : {};
    if (typeof apiVersion !== "string" || typeof kind !== "string")
      return problemsOf(document, {}, undefined);
    const api = await source(apiVersion);
    return problemsOf(document, api, schemaOfKind(api, apiVersion, kind));
  });
  return (await Promise.all(found)).flat();
}
