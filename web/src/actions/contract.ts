/** What an action is: it says what it does in words, as a kubectl command and as a request; the runner sends it. */
import type { Target } from "../kube/kubectl";
import type { KubeObject, ResourceRef } from "../live/protocol";
import type { Resource } from "../kube/resources";
import type { Access } from "./access";

/** A request of the API. */
export interface ApiRequest {
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly query?: Readonly<Record<string, string>>;
}

/** What a person filled in, by the field's name. */
export type Values = Readonly<Record<string, string>>;

/** One thing that an action asks for. */
export interface FieldSpec {
  readonly name: string;
  readonly label: string;
  readonly kind: "number" | "text" | "lines" | "choice";
  readonly value: string;
  readonly hint?: string;
  readonly choices?: readonly { readonly value: string; readonly title: string }[];
}

/** An action on objects of one resource. Everything in it is pure. */
export interface ActionSpec {
  readonly id: string;
  readonly title: string;
  /** Whether something is lost by it. */
  readonly destructive?: boolean;
  /** Whether it makes sense for one object only. */
  readonly single?: boolean;
  readonly applies: (resource: ResourceRef) => boolean;
  readonly access: (resource: Resource, namespace: string, name: string) => Access;
  /** What happens then, in a sentence or two. */
  readonly explain: (objects: readonly KubeObject[]) => string;
  /** Whether it can do anything to this object as it is; without it, to any. */
  readonly useful?: (object: KubeObject) => boolean;
  readonly fields?: (objects: readonly KubeObject[], related: readonly KubeObject[]) => readonly FieldSpec[];
  /** What is wrong with the values; "" when nothing is. */
  readonly problem?: (values: Values) => string;
  readonly command: (target: Target, values: Values, related: readonly KubeObject[]) => string;
  readonly request: (object: KubeObject, values: Values, related: readonly KubeObject[]) => ApiRequest;
  /** The request that puts the object back as it was; null where that is not possible. */
  readonly undo?: (before: KubeObject, values: Values) => ApiRequest | null;
  /** What was done, for the message afterwards: "scaled to 3". */
  readonly done: (values: Values) => string;
}

export const MERGE_PATCH = "application/merge-patch+json";
export const STRATEGIC_PATCH = "application/strategic-merge-patch+json";
export const JSON_PATCH = "application/json-patch+json";

/** Whether a resource is one of these, by `plural.group`. */
export function isOneOf(...names: readonly string[]): (resource: ResourceRef) => boolean {
  const all = new Set(names);
  return ({ group, plural }) => all.has(group ? `${plural}.${group}` : plural);
}

/** The access that a patch of the object needs; of a subresource of it when one is named. */
export function patching(subresource = ""): ActionSpec["access"] {
  return ({ group, plural }, namespace, name) => {
    const access = { verb: "patch", group, resource: plural, namespace, name };
    return subresource ? { ...access, subresource } : access;
  };
}

/** The target of commands that an object is. */
export function targetOf(resource: ResourceRef, object: KubeObject): Target {
  return { resource, namespace: object.metadata.namespace ?? "", name: object.metadata.name };
}
