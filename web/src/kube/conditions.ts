import type { Condition } from "./kinds";
import { listAt, type KubeObject, type Tone } from "./object";

// Conditions that are good news when False.
const BAD_WHEN_TRUE =
  /(Pressure|Unavailable|Failure|Failed|Degraded|Stalled|Error|Unschedulable|DisruptionTarget|Terminating|Conflict)$/;

export type { Tone } from "./object";

/** The conditions of an object, as its status holds them. */
export function conditionsOf(object: KubeObject): Condition[] {
  return listAt<Condition>(object, "status", "conditions");
}

/** The condition of a type; undefined where there is none. */
export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  return conditionsOf(object).find((each) => each.type === type);
}

/** How a condition reads. A condition that reports trouble when True is trouble then, all others when not. */
export function conditionTone(condition: Condition): Tone {
  if (condition.status === "Unknown") return "trouble";
  const bad = BAD_WHEN_TRUE.test(condition.type);
  if ((condition.status === "True") === bad) {
    if (condition.type === "DisruptionAllowed") return "change";
    return condition.reason === "PodCompleted" ? "idle" : "trouble";
  }
  return "ok";
}
