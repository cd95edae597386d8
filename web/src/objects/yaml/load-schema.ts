import { request } from "../../live";
import { documentPath, type OpenApi } from "./schema";

const EMPTY: OpenApi = {};
const documents = new Map<string, Promise<OpenApi>>();

/** The OpenAPI document for an apiVersion, kept once loaded; an empty one where the cluster has none. */
export function loadSchema(apiVersion: string): Promise<OpenApi> {
  const known = documents.get(apiVersion);
  if (known) return known;
  const loading = request<OpenApi>("GET", documentPath(apiVersion)).catch(() => {
    documents.delete(apiVersion);
    return EMPTY;
  });
  documents.set(apiVersion, loading);
  return loading;
}
