/** What a drain of a node does, how far it is, and what blocks it. */

import type { DisruptionBudget, Pod } from "../kube/kinds";
import { at, type KubeObject } from "../kube/object";
import { matches } from "../kube/selectors";

/** What happens to one pod of a node that is drained. */
export interface DrainStep {
  pod: Pod;
  /** `evict`, `stays` (a DaemonSet's or a static pod), `terminating` (asked to end), `blocked` by a budget. */
  state: "evict" | "stays" | "terminating" | "blocked";
  why: string;
}

/** The state of each pod on a node in view of a drain, those that still have to leave first. */
export function drainSteps(
  node: string,
  pods: readonly Pod[],
  budgets: readonly DisruptionBudget[],
): DrainStep[] {
  const here = pods.filter((pod) => pod.spec.nodeName === node);
  const steps = here.map((pod) => stepOf(pod, budgets));
  return steps.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
}

const ORDER: DrainStep["state"][] = ["blocked", "evict", "terminating", "stays"];

function stepOf(pod: Pod, budgets: readonly DisruptionBudget[]): DrainStep {
  if (pod.metadata.annotations?.["kubernetes.io/config.mirror"])
    return { pod, state: "stays", why: "a static pod: its kubelet keeps it" };
  const owner = pod.metadata.ownerReferences?.find((each) => each.controller);
  if (owner?.kind === "DaemonSet")
    return { pod, state: "stays", why: `DaemonSet ${owner.name} wants it on every node` };
  if (pod.metadata.deletionTimestamp) return { pod, state: "terminating", why: "is ending" };
  const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  const blocking = ended ? undefined : budgets.find((budget) => blocks(budget, pod));
  if (blocking) return { pod, state: "blocked", why: budgetText(blocking) };
  if (!owner)
    return { pod, state: "evict", why: "no controller replaces it: `kubectl drain` asks for --force" };
  return { pod, state: "evict", why: `${owner.kind} ${owner.name} replaces it` };
}

function blocks(budget: DisruptionBudget, pod: Pod): boolean {
  if (budget.metadata.namespace !== pod.metadata.namespace) return false;
  return matches(budget.spec.selector, pod.metadata.labels) && (budget.status?.disruptionsAllowed ?? 0) < 1;
}

function budgetText(budget: DisruptionBudget): string {
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
  return `budget ${budget.metadata.name} wants ${desiredHealthy} healthy and ${currentHealthy} are`;
}

/** How far a drain is. */
export interface DrainProgress {
  cordoned: boolean;
  left: number;
  blocked: number;
  terminating: number;
  text: string;
}

/** The drain in one sentence. */
export function drainProgress(node: KubeObject, steps: readonly DrainStep[]): DrainProgress {
  const count = (state: DrainStep["state"]) => steps.filter((step) => step.state === state).length;
  const [blocked, terminating] = [count("blocked"), count("terminating")];
  const left = count("evict") + blocked;
  const cordoned = at(node, "spec", "unschedulable") === true;
  return { cordoned, left, blocked, terminating, text: textOf(cordoned, left, blocked, terminating) };
}

function textOf(cordoned: boolean, left: number, blocked: number, terminating: number): string {
  const pods = (number: number) => (number === 1 ? "1 pod" : `${number} pods`);
  if (!cordoned) return `a drain would evict ${pods(left)}`;
  if (left) return `${pods(left)} left${blocked ? `, ${blocked} held back by a budget` : ""}`;
  return terminating ? `${pods(terminating)} ending` : "drained: only pods that stay are left";
}
