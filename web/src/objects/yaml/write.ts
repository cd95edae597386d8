import { parseDocument } from "yaml";
import { statusOfError, withKind } from "../../actions/perform";
import { objectPath, type Resource } from "../../kube/resources";
import { apiPath, type KubeObject, type KubeStatus, request } from "../../live";
import { rangeOfField } from "./field-path";
import { fromYaml, otherIdentity } from "./text";
import type { Problem } from "./validate";

/** What became of a write: the object as it is (or would be), or why it was refused. */
export type Written =
  | { readonly object: KubeObject; readonly refused: null }
  | { readonly object: null; readonly refused: KubeStatus };

/** Gets the object as it is now. Throws ApiStatus. */
export async function read(resource: Resource, object: KubeObject): Promise<KubeObject> {
  const { namespace = "", name } = object.metadata;
  return withKind(resource, await request<KubeObject>("GET", apiPath(resource, namespace, name)));
}

/** Replaces an object by a text, or asks what would come of it. The text's resourceVersion guards others' changes. */
export async function replace(
  resource: Resource,
  base: KubeObject,
  text: string,
  { dryRun }: { readonly dryRun: boolean },
): Promise<Written> {
  try {
    const wanted = fromYaml(text);
    const problem = otherIdentity(base, wanted);
    if (problem) return { object: null, refused: { message: problem } };
    const query: Record<string, string> = { fieldValidation: "Strict", fieldManager: "homeostat-console" };
    if (dryRun) query.dryRun = "All";
    // The status stays as it is: it is written through a path of its own.
    const found = await request<KubeObject>("PUT", objectPath(base), wanted, { query });
    return { object: withKind(resource, found), refused: null };
  } catch (error) {
    return { object: null, refused: statusOfError(error) };
  }
}

/** Where in the text the fields are that a refusal names. */
export function marksOf(text: string, { details }: KubeStatus): Problem[] {
  const document = parseDocument(text);
  return (details?.causes ?? []).flatMap(({ field, message = "" }) =>
    field
      ? [{ ...rangeOfField(document, field), message: `${field}: ${message}`, severity: "error" as const }]
      : [],
  );
}
