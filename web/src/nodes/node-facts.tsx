import { Age, Status } from "../components";
import { conditionsOf, conditionTone, type Tone } from "../kube/conditions";
import type { Condition, Pod } from "../kube/kinds";
import { textAt, type KubeObject } from "../kube/object";
import { Section } from "../overview/section";
import { amount, requestedOf } from "./requests";

/** The node's conditions, each with its reason and since when. */
export function ConditionsSection({ node }: { readonly node: KubeObject }) {
  return (
    <Section title="Conditions">
      <table class="plain-table">
        <tbody>
          {conditionsOf(node).map((condition) => (
            <tr key={condition.type}>
              <td class="plain-table__narrow">
                <Status tone={toneOf(condition)}>{condition.type}</Status>
              </td>
              <td class="plain-table__narrow">{condition.status}</td>
              <td class="plain-table__quiet node-page__message" title={condition.reason}>
                {condition.message ?? condition.reason}
              </td>
              <td class="plain-table__number plain-table__narrow plain-table__quiet">
                <Age since={condition.lastTransitionTime} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

/** That nothing is known of a silent node is said once, by its condition Ready. */
function toneOf(condition: Condition): Tone {
  return condition.status === "Unknown" && condition.type !== "Ready" ? "idle" : conditionTone(condition);
}

const INFO: readonly (readonly [string, string])[] = [
  ["Kubelet", "kubeletVersion"],
  ["Container runtime", "containerRuntimeVersion"],
  ["Operating system", "osImage"],
  ["Kernel", "kernelVersion"],
];

/** What the node offers, what its pods have requested of it, and what it runs on. */
export function CapacitySection({
  node,
  pods,
}: {
  readonly node: KubeObject;
  readonly pods: readonly Pod[];
}) {
  return (
    <Section title="Capacity">
      <table class="plain-table">
        <tbody>
          {requestedOf(node, pods).map(({ resource, share, text, limits }) => (
            <tr key={resource}>
              <td class="plain-table__narrow">{resource}</td>
              <td class="plain-table__narrow">
                <span class="node-page__meter">
                  <span
                    class={
                      share > 0.9 ? "node-page__meter-run node-page__meter-run--high" : "node-page__meter-run"
                    }
                    style={{ width: `${Math.min(100, Math.round(share * 100))}%` }}
                  />
                </span>
              </td>
              <td class="plain-table__quiet" title={`limits: ${amount(resource, limits)}`}>
                {resource === "pods" ? text : `${text} requested`}
              </td>
            </tr>
          ))}
          {INFO.map(([title, field]) => (
            <tr key={field}>
              <td class="plain-table__narrow">{title}</td>
              <td class="plain-table__quiet" colSpan={2}>
                {textAt(node, "status", "nodeInfo", field)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}
