import { at, textAt } from "./object";

/** An autoscaler's metric: its name, and the amount of its target or current part. "" where there is none. */
export function metricText(metric: unknown, part: "target" | "current"): { name: string; amount: string } {
  const type = textAt(metric, "type");
  const source = at(metric, type.charAt(0).toLowerCase() + type.slice(1));
  const name = textAt(source, "name") || textAt(source, "metric", "name") || type;
  const value = at(source, part);
  const percent = textAt(value, "averageUtilization");
  const amount = percent ? `${percent}%` : textAt(value, "averageValue") || textAt(value, "value");
  return { name, amount };
}
