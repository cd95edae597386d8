import type { Pod } from "../../kube/kinds";
import type { LogSource } from "./follower";

function namesOf({ spec }: Pod): string[] {
  return [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])].map(
    ({ name }) => name,
  );
}

/** The containers of pods by name, each once; a pod's own before its init containers. */
export function containersOf(pods: readonly Pod[]): string[] {
  return [...new Set(pods.flatMap(namesOf))];
}

/** Whose logs to read: the chosen container of each pod, or all; titles tell them apart where there are several. */
export function sourcesOf(pods: readonly Pod[], chosen: string): LogSource[] {
  const found = pods.flatMap((pod) =>
    namesOf(pod)
      .filter((name) => chosen === "" || name === chosen)
      .map((container) => ({ namespace: pod.metadata.namespace ?? "", pod: pod.metadata.name, container })),
  );
  const manyPods = new Set(found.map(({ pod }) => pod)).size > 1;
  const manyContainers = new Set(found.map(({ container }) => container)).size > 1;
  return found.map((source) => {
    const parts = [manyPods ? source.pod : "", manyContainers ? source.container : ""].filter(Boolean);
    return { ...source, title: parts.join("/") };
  });
}
