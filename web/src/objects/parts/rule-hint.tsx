import "./rule-hint.css";
import { flag } from "../../kube/flags";
import type { Rule } from "../../kube/rule";

/** A mark that tells the rule of Kubernetes behind what stands before it, and the flags that its numbers come from. */
export function RuleHint({ rule }: { readonly rule: Rule }) {
  return (
    <span
      class="rule-hint"
      tabIndex={0}
      role="note"
      aria-label={[rule.text, ...rule.flags.map(flagText)].join(" ")}
    >
      why?
      <span class="rule-hint__text" aria-hidden="true">
        {rule.text}
        {rule.flags.map((name) => (
          <code key={name} class="rule-hint__flag">
            {flagText(name)}
          </code>
        ))}
      </span>
    </span>
  );
}

function flagText(name: string): string {
  return `${name} = ${flag(name).value}`;
}
