import { Status } from "../../components";
import { budgetSentence } from "../../kube/budget";
import type { DisruptionBudget } from "../../kube/kinds";
import { ruleOf } from "../../kube/rules";
import { selectorText } from "../../kube/selectors";
import type { TabProps } from "../body";
import { Facts, Section } from "../parts";
import { PodTable } from "./pod-table";

/** The details of a disruption budget: how many evictions it allows now, and why. */
export function BudgetDetails({ object }: TabProps) {
  const budget = object as DisruptionBudget;
  const { spec, status } = budget;
  const allowed = status?.disruptionsAllowed ?? 0;
  return (
    <>
      <Section title="Disruptions">
        <p>
          <Status tone={allowed > 0 ? "ok" : "change"}>{budgetSentence(budget)}</Status>
        </p>
        <Facts
          facts={[
            ["Allowed now", String(allowed), ruleOf("disruption")],
            ["Healthy", `${status?.currentHealthy ?? 0} of ${status?.expectedPods ?? 0}`],
            ["Needed", String(status?.desiredHealthy ?? 0)],
            ["Min available", spec.minAvailable === undefined ? "" : String(spec.minAvailable)],
            ["Max unavailable", spec.maxUnavailable === undefined ? "" : String(spec.maxUnavailable)],
            ["Selector", selectorText(spec.selector)],
          ]}
        />
      </Section>
      <PodTable selector={spec.selector} namespace={object.metadata.namespace ?? ""} title="Its pods" />
    </>
  );
}
