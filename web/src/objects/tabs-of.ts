import type { Tab } from "../components";
import type { Resource } from "../kube/resources";
import type { KubeObject } from "../live/protocol";

const WITH_PODS = new Set(["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"]);

/** The tabs that an object of this kind has. */
export function tabsOf(resource: Resource, object: KubeObject): readonly Tab[] {
  const isPod = resource.group === "" && object.kind === "Pod";
  return [
    { id: "details", title: "Details" },
    { id: "yaml", title: "YAML" },
    { id: "events", title: "Events" },
    ...(isPod || WITH_PODS.has(object.kind ?? "") ? [{ id: "logs", title: "Logs" }] : []),
    ...(isPod ? [{ id: "terminal", title: "Terminal" }] : []),
    { id: "why", title: "Why" },
  ];
}
