/** Rolling a Deployment back to the pod template of an earlier replica set. */
import { kubectl } from "../kube/kubectl";
import type { Workload } from "../kube/kinds";
import { at, type KubeObject } from "../kube/object";
import { objectPath } from "../kube/resources";
import { revisionOf } from "../kube/rollout";
import { type ActionSpec, type ApiRequest, isOneOf, JSON_PATCH, patching } from "./contract";

/** The template of a replica set as its Deployment had it: without the label that tells replica sets apart. */
export function templateOf(replicaSet: KubeObject): unknown {
  const { metadata, ...rest } = (replicaSet as Workload).spec.template;
  const labels = Object.entries(metadata?.labels ?? {}).filter(([key]) => key !== "pod-template-hash");
  return { ...rest, metadata: { ...metadata, labels: Object.fromEntries(labels) } };
}

/** The replica sets that a Deployment can be rolled back to, newest first: all but the one that it has now. */
export function earlier(deployment: KubeObject, replicaSets: readonly KubeObject[]): KubeObject[] {
  return replicaSets
    .filter((each) => revisionOf(each) > 0 && revisionOf(each) !== revisionOf(deployment))
    .sort((a, b) => revisionOf(b) - revisionOf(a));
}

function replaceTemplate(object: KubeObject, template: unknown): ApiRequest {
  const body = [{ op: "replace", path: "/spec/template", value: template }];
  return { method: "PATCH", path: objectPath(object), body, contentType: JSON_PATCH };
}

const imagesOf = (replicaSet: KubeObject) =>
  (replicaSet as Workload).spec.template.spec.containers.map(({ image }) => image).join(", ");

/** Take a Deployment's earlier template again; the related objects are its replica sets. */
export const rollBack: ActionSpec = {
  id: "roll-back",
  title: "Roll back",
  single: true,
  applies: isOneOf("deployments.apps"),
  access: patching(),
  explain: () =>
    "The template of the chosen revision becomes the newest one, and is rolled out like any other.",
  fields: ([object], related) => {
    const found = object ? earlier(object, related) : [];
    const choices = found.map((each) => ({
      value: String(revisionOf(each)),
      title: `${revisionOf(each)} · ${imagesOf(each)}`,
    }));
    return [{ name: "revision", label: "Revision", kind: "choice", value: choices[0]?.value ?? "", choices }];
  },
  problem: ({ revision }) => (revision ? "" : "There is no earlier revision to roll back to."),
  command: (target, { revision }) => kubectl.undo(target, Number(revision)),
  request: (object, { revision }, related) => {
    const found = related.find((each) => revisionOf(each) === Number(revision));
    return replaceTemplate(object, found ? templateOf(found) : at(object, "spec", "template"));
  },
  undo: (before) => replaceTemplate(before, at(before, "spec", "template")),
  done: ({ revision }) => `rolled back to revision ${revision}`,
};
