/** Sends what actions ask for, one object after the other, and keeps each answer. */
import { ApiStatus, request } from "../live/api";
import type { KubeObject, KubeStatus } from "../live/protocol";
import { apiPath } from "../live/api";
import type { Resource } from "../kube/resources";
import { apiVersionOf } from "../kube/resources";
import type { ApiRequest } from "./contract";
import type { ActionTarget } from "./open";

/** Sends one request. Throws ApiStatus when the cluster refuses. */
export async function send({ method, path, body, contentType, query }: ApiRequest): Promise<unknown> {
  return await request(method, path, body, {
    ...(contentType ? { contentType } : {}),
    ...(query ? { query } : {}),
  });
}

/** Why something failed, as Kubernetes says it. */
export function statusOfError(error: unknown): KubeStatus {
  if (error instanceof ApiStatus) return { code: error.code, ...error.status };
  return { message: error instanceof Error ? error.message : String(error) };
}

/** Gets objects as the cluster has them now, with their kind. Throws ApiStatus when one cannot be read. */
export async function load(resource: Resource, targets: readonly ActionTarget[]): Promise<KubeObject[]> {
  const one = async ({ namespace, name }: ActionTarget) =>
    withKind(resource, await request<KubeObject>("GET", apiPath(resource, namespace, name)));
  return await Promise.all(targets.map(one));
}

/** Gets all objects of a resource in a namespace; none where the user may not. */
export async function loadAll(resource: Resource, namespace: string, labels = ""): Promise<KubeObject[]> {
  const query: Record<string, string> = labels ? { labelSelector: labels } : {};
  try {
    const list = await request<{ items: KubeObject[] }>("GET", apiPath(resource, namespace), undefined, {
      query,
    });
    return list.items.map((item) => withKind(resource, item));
  } catch (error) {
    if (error instanceof ApiStatus && (error.code === 403 || error.code === 404)) return [];
    throw error;
  }
}

/** The object with the kind and apiVersion that items of lists lack. */
export function withKind(resource: Resource, object: KubeObject): KubeObject {
  return {
    ...object,
    apiVersion: object.apiVersion ?? apiVersionOf(resource),
    kind: object.kind ?? resource.kind,
  };
}
