import "./facts.css";
import type { ComponentChildren } from "preact";
import type { Rule } from "../../kube/rule";
import { RuleHint } from "./rule-hint";

/** One fact: what it is, and its value; left out where there is none. */
export type Fact = readonly [label: string, value: ComponentChildren, rule?: Rule | undefined];

interface FactsProps {
  readonly facts: readonly Fact[];
  /** Whether each has a line of its own: for long values. */
  readonly wide?: boolean;
}

/** Facts of an object, label and value; those without a value are left out. */
export function Facts({ facts, wide = false }: FactsProps) {
  const shown = facts.filter(
    ([, value]) => value !== "" && value !== null && value !== undefined && value !== false,
  );
  return (
    <dl class={wide ? "facts facts--wide" : "facts"}>
      {shown.map(([label, value, rule]) => (
        <div class="facts__fact" key={label}>
          <dt>{label}</dt>
          <dd>
            {value}
            {rule !== undefined && <RuleHint rule={rule} />}
          </dd>
        </div>
      ))}
    </dl>
  );
}
