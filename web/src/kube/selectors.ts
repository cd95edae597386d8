/** A requirement of a set-based selector. */
export interface Requirement {
  key: string;
  operator: string;
  values?: string[];
}

/** A label selector as objects hold it. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: Requirement[];
}

type Labels = Record<string, string> | undefined;

function meets(labels: Record<string, string>, requirement: Requirement): boolean {
  const value = labels[requirement.key];
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return false;
  }
}

/** Whether labels match a selector; an empty selector matches everything, a missing one nothing. */
export function matches(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (!selector) return false;
  const found = labels ?? {};
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => found[key] === value) &&
    (selector.matchExpressions ?? []).every((requirement) => meets(found, requirement))
  );
}

/** Whether labels have all of these values: the selector of a Service. An empty one selects nothing. */
export function selects(selector: Record<string, string> | undefined, labels: Labels): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels?.[key] === value);
}

/** A selector as kubectl takes it after `-l`. */
export function selectorText(selector: LabelSelector | undefined): string {
  const equal = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const others = (selector?.matchExpressions ?? []).map(({ key, operator, values }) => {
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator === "In" ? "in" : "notin"} (${(values ?? []).join(",")})`;
  });
  return [...equal, ...others].join(",");
}
