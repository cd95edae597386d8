import { statusOfError } from "../actions/perform";
import { findResource } from "../kube/discovery";
import { isObject, type Plain } from "../objects/yaml/plain";
import { apiPath, type KubeObject, type KubeStatus, request } from "../live";
import type { Resource } from "../kube/resources";
import type { Part } from "./documents";

/** How documents are sent. */
export interface How {
  readonly dryRun: boolean;
  /** Whether what exists is changed to what is asked for (server-side apply), not refused. */
  readonly apply: boolean;
  /** Of objects that name none. */
  readonly namespace: string;
}

/** What became of one document. */
export interface Result {
  readonly part: Part;
  readonly resource: Resource | null;
  readonly object: KubeObject | null;
  readonly refused: KubeStatus | null;
}

/** Sends documents one after the other, in their order: a namespace stands before what is in it. */
export async function sendAll(parts: readonly Part[], how: How): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const part of parts) results.push(await sendOne(part, how));
  return results;
}

async function sendOne(part: Part, how: How): Promise<Result> {
  const failed = (refused: KubeStatus, resource: Resource | null = null): Result => ({
    part,
    resource,
    object: null,
    refused,
  });
  if (part.problem) return failed({ message: part.problem });
  const { apiVersion, kind } = part.value as { apiVersion: string; kind: string };
  let resource: Resource | undefined;
  try {
    resource = await findResource(apiVersion, kind);
    if (!resource) return failed({ message: `This cluster serves no ${kind} in ${apiVersion}.` });
    const metadata = isObject(part.value.metadata) ? part.value.metadata : {};
    const own = typeof metadata.namespace === "string" ? metadata.namespace : "";
    const namespace = resource.namespaced ? own || how.namespace || "default" : "";
    const body = { ...part.value, metadata: namespace ? { ...metadata, namespace } : metadata };
    const object = await write(resource, namespace, body, how);
    return { part, resource, object: { ...object, apiVersion, kind }, refused: null };
  } catch (error) {
    return failed(statusOfError(error), resource ?? null);
  }
}

async function write(resource: Resource, namespace: string, body: Plain, how: How): Promise<KubeObject> {
  const query: Record<string, string> = { fieldValidation: "Strict", fieldManager: "homeostat-console" };
  if (how.dryRun) query.dryRun = "All";
  const metadata = body.metadata as { name?: string };
  if (!how.apply || !metadata.name)
    return await request<KubeObject>("POST", apiPath(resource, namespace), body, { query });
  const path = apiPath(resource, namespace, metadata.name);
  return await request<KubeObject>("PATCH", path, body, {
    query,
    contentType: "application/apply-patch+yaml",
  });
}
