/** Actions on nodes and on what runs there. */
import { kubectl } from "../kube/kubectl";
import { at, type KubeObject } from "../kube/object";
import { objectPath } from "../kube/resources";
import { type ActionSpec, isOneOf, MERGE_PATCH, patching } from "./contract";

const isCordoned = (node: KubeObject) => at(node, "spec", "unschedulable") === true;

function unschedulable(node: KubeObject, value: boolean) {
  const body = { spec: { unschedulable: value || null } };
  return { method: "PATCH", path: objectPath(node), body, contentType: MERGE_PATCH } as const;
}

function cordoning(cordoned: boolean): ActionSpec {
  return {
    id: cordoned ? "cordon" : "uncordon",
    title: cordoned ? "Cordon" : "Uncordon",
    applies: isOneOf("nodes"),
    access: patching(),
    useful: (node) => isCordoned(node) !== cordoned,
    explain: () =>
      cordoned
        ? "The scheduler binds no further pods to the node. What runs there stays."
        : "The scheduler may bind pods to the node again. What left it does not come back by itself.",
    command: ({ name }) => (cordoned ? kubectl.cordon(name) : kubectl.uncordon(name)),
    request: (node) => unschedulable(node, cordoned),
    undo: (before) => unschedulable(before, isCordoned(before)),
    done: () => (cordoned ? "cordoned" : "schedulable again"),
  };
}

/** Keep new pods off a node. */
export const cordon = cordoning(true);

/** Let new pods onto a node again. */
export const uncordon = cordoning(false);

/** Ask a pod to leave, as far as its disruption budget allows. */
export const evict: ActionSpec = {
  id: "evict",
  title: "Evict",
  destructive: true,
  applies: isOneOf("pods"),
  access: (_, namespace, name) => ({
    verb: "create",
    group: "",
    resource: "pods",
    subresource: "eviction",
    namespace,
    name,
  }),
  explain: () =>
    "The pod is deleted unless a disruption budget forbids it now (429); its controller makes another one.",
  command: (target) => kubectl.evict(target),
  request: (pod) => {
    const { name, namespace } = pod.metadata;
    const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
    return { method: "POST", path: objectPath(pod, "eviction"), body };
  },
  done: () => "is leaving",
};
