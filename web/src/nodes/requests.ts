/** What a node's pods have requested of what it offers. */

import type { Container, Pod } from "../kube/kinds";
import type { KubeObject } from "../kube/object";
import { bytes, quantity } from "../kube/quantities";
import { allocatableOf } from "./status";

/** One resource of a node: the sum of requests and limits of its pods, beside what it offers. */
export interface Requested {
  resource: string;
  requested: number;
  limits: number;
  allocatable: number;
  share: number;
  text: string;
}

/** What one pod requests of a resource: the larger of its containers together and any init container. */
export function podRequest(pod: Pod, resource: string, part: "requests" | "limits" = "requests"): number {
  const of = (container: Container) => quantity(container.resources?.[part]?.[resource]) ?? 0;
  const main = pod.spec.containers.reduce((sum, container) => sum + of(container), 0);
  let [beside, highest] = [0, 0];
  for (const container of pod.spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") beside += of(container);
    else highest = Math.max(highest, beside + of(container));
    highest = Math.max(highest, beside);
  }
  return Math.max(main + beside, highest);
}

/** CPU, memory, pods and whatever else the node offers and somebody has requested. */
export function requestedOf(node: KubeObject, pods: readonly Pod[]): Requested[] {
  const here = pods.filter(
    (pod) =>
      pod.spec.nodeName === node.metadata.name &&
      pod.status?.phase !== "Succeeded" &&
      pod.status?.phase !== "Failed",
  );
  const found: Requested[] = [];
  for (const [resource, offered] of Object.entries(allocatableOf(node))) {
    const allocatable = quantity(offered) ?? 0;
    const sum = (part: "requests" | "limits") =>
      here.reduce((all, pod) => all + podRequest(pod, resource, part), 0);
    const requested = resource === "pods" ? here.length : sum("requests");
    const limits = resource === "pods" ? here.length : sum("limits");
    if (!ALWAYS.includes(resource) && !requested) continue;
    const share = allocatable ? requested / allocatable : 0;
    const text = `${amount(resource, requested)} of ${amount(resource, allocatable)}`;
    found.push({ resource, requested, limits, allocatable, share, text });
  }
  return found.sort((a, b) => order(a.resource) - order(b.resource));
}

const ALWAYS = ["cpu", "memory", "pods"];

function order(resource: string): number {
  const index = ALWAYS.indexOf(resource);
  return index < 0 ? ALWAYS.length : index;
}

/** An amount of a resource for people: `0.25 cores`, `1.5 GiB`. */
export function amount(resource: string, value: number): string {
  if (resource === "cpu") return `${Number(value.toFixed(3))} ${value === 1 ? "core" : "cores"}`;
  if (resource === "memory" || resource.includes("storage") || resource.startsWith("hugepages"))
    return bytes(value);
  return String(value);
}
