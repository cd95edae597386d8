/** Requests of the Kubernetes API, which the back end sends on with the user's own token. */
import { signedOut } from "./connection";
import type { KubeStatus, ObjectRef, ResourceRef } from "./protocol";

/** The cluster (or the way to it) refused a request. `status` says why, as Kubernetes does. */
export class ApiStatus extends Error {
  readonly status: KubeStatus;
  readonly code: number;

  constructor(status: KubeStatus, code: number) {
    super(status.message ?? `the request failed with ${code}`);
    this.name = "ApiStatus";
    this.status = status;
    this.code = code;
  }
}

/** What a request may say beside its method, path and body. */
export interface RequestOptions {
  /** Of the body; JSON unless said otherwise (`application/apply-patch+yaml`, ...). */
  readonly contentType?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

let csrf = "";

/** Sets the session's value that changing requests carry. */
export function setCsrf(value: string): void {
  csrf = value;
}

/** The header that the back end wants on whatever changes something. */
export function csrfHeader(): Record<string, string> {
  return csrf === "" ? {} : { "x-homeostat-csrf": csrf };
}

/** The path of a resource, or of one object of it, under the API server's root. */
export function apiPath(resource: ResourceRef, namespace = "", name = "", subresource = ""): string {
  const root =
    resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const inside = namespace === "" ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const end = [name, subresource].filter((part) => part !== "").map((part) => `/${encodeURIComponent(part)}`);
  return `${root}${inside}/${resource.plural}${end.join("")}`;
}

/** The path of one object. */
export function pathOf(ref: ObjectRef, subresource = ""): string {
  return apiPath(ref.resource, ref.namespace, ref.name, subresource);
}

/**
 * Asks the API server; returns the decoded answer. A body that is a text is sent as it is, another as JSON. Throws
 * ApiStatus when the cluster refuses or does not answer.
 */
export async function request<Answer = unknown>(
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  options: RequestOptions = {},
): Promise<Answer> {
  const response = await send(method, path, body, options);
  return (await response.json()) as Answer;
}

/** As `request`, for answers that are text (logs). */
export async function requestText(path: string, options: RequestOptions = {}): Promise<string> {
  return await (await send("GET", path, undefined, options)).text();
}

/** As `request`, for answers that go on (followed logs): the open response. */
export async function requestStream(path: string, options: RequestOptions = {}): Promise<Response> {
  return await send("GET", path, undefined, options);
}

async function send(method: string, path: string, body: unknown, options: RequestOptions): Promise<Response> {
  const headers: Record<string, string> = method === "GET" ? {} : csrfHeader();
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (body !== undefined) {
    headers["content-type"] = options.contentType ?? "application/json";
    init.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  if (options.signal !== undefined) init.signal = options.signal;
  const query = new URLSearchParams(options.query).toString();
  const response = await fetched(`/k8s${path}${query === "" ? "" : `?${query}`}`, init);
  if (response.ok) return response;
  if (response.status === 401) signedOut.value += 1;
  throw new ApiStatus(await statusOf(response), response.status);
}

async function fetched(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiStatus(
      { reason: "ServiceUnavailable", message: "The Console's back end does not answer." },
      0,
    );
  }
}

async function statusOf(response: Response): Promise<KubeStatus> {
  const text = await response.text();
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch {
    // Not JSON: what is between here and the API server answered.
  }
  return { message: text === "" ? response.statusText : text, code: response.status };
}
