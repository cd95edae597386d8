import "./facts.css";
import type { ComponentChildren } from "preact";
import type { Rule } from "../../kube/rule";
import { RuleHint } from "./rule-hint";

/** One fact: what it is, and its value; left out where there is none. */
export type Fact = readonly [label: string, value: ComponentChildren, rule?: Rule | undefined];

/** Facts of an object, two columns of label and value; those without a value are left out. */
export function Facts({ facts }: { readonly facts: readonly Fact[] }) {
  const shown = facts.filter(
    ([, value]) => value !== "" && value !== null && value !== undefined && value !== false,
  );
  return (
    <dl class="facts">
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
