/** Deleting objects, and bringing one back. */
import { kubectl } from "../kube/kubectl";
import type { KubeObject } from "../kube/object";
import { controllerOf } from "../kube/owners";
import { objectPath, resourceOf } from "../kube/resources";
import { apiPath } from "../live/api";
import type { ActionSpec, ApiRequest, Values } from "./contract";

// What cannot be brought back as it was: their content, their data or their node's state is gone with them.
const LOST_FOR_GOOD = new Set([
  "Namespace",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "Node",
  "CustomResourceDefinition",
]);

/** The object as it would be created anew: without what the cluster filled in. */
export function recreatable(object: KubeObject): KubeObject {
  const { name, namespace, labels, annotations, ownerReferences, finalizers } = object.metadata;
  const kept = { name, namespace, labels, annotations, ownerReferences, finalizers };
  const metadata = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  const { status: _, ...rest } = object;
  const spec = rest.spec as Record<string, unknown> | undefined;
  const whole = { ...rest, metadata } as unknown as KubeObject;
  if (object.kind === "Pod" && spec) {
    const { nodeName: __, ...placed } = spec;
    return { ...whole, spec: placed };
  }
  return whole;
}

/** The request that brings a deleted object back; null where its controller does, or where its content is gone. */
export function recreate(object: KubeObject): ApiRequest | null {
  if (LOST_FOR_GOOD.has(object.kind ?? "") || controllerOf(object)) return null;
  if (object.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined) return null;
  const path = apiPath(resourceOf(object), object.metadata.namespace ?? "");
  return { method: "POST", path, body: recreatable(object) };
}

const PROPAGATION = [
  { value: "Background", title: "Background: dependents are deleted after it" },
  { value: "Foreground", title: "Foreground: it goes after its dependents" },
  { value: "Orphan", title: "Orphan: dependents stay, without an owner" },
];

function graceOf({ grace = "" }: Values): number | undefined {
  return grace === "" ? undefined : Number(grace);
}

/** Delete objects. */
export const remove: ActionSpec = {
  id: "delete",
  title: "Delete",
  destructive: true,
  applies: () => true,
  access: ({ group, plural }, namespace, name) => ({
    verb: "delete",
    group,
    resource: plural,
    namespace,
    name,
  }),
  explain: () => "",
  fields: ([object]) => [
    { name: "propagation", label: "Dependents", kind: "choice", value: "Background", choices: PROPAGATION },
    ...(object?.kind === "Pod"
      ? [
          {
            name: "grace",
            label: "Grace period in seconds",
            kind: "text" as const,
            value: "",
            hint: "Empty: the pod's own. 0 removes it from the API at once, whatever still runs on its node.",
          },
        ]
      : []),
  ],
  problem: ({ grace = "" }) => (/^\d*$/.test(grace) ? "" : "A whole number of seconds, or nothing."),
  command: (target, values) => {
    const graceSeconds = graceOf(values);
    const how = values.propagation ? { propagation: values.propagation } : {};
    return kubectl.remove([target], graceSeconds === undefined ? how : { ...how, graceSeconds });
  },
  request: (object, values) => {
    const gracePeriodSeconds = graceOf(values);
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: values.propagation ?? "Background",
      // Only the object that was looked at: one made anew under its name stays.
      preconditions: { uid: object.metadata.uid },
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    };
    return { method: "DELETE", path: objectPath(object), body };
  },
  undo: recreate,
  done: () => "deleted",
};
