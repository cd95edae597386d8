import { Age, Status } from "../../components";
import { conditionsOf, conditionTone } from "../../kube/conditions";
import { secondsOf, type KubeObject } from "../../kube/object";
import { ruleOfReason } from "../../kube/reasons";
import { Grid } from "./grid";
import { RuleHint } from "./rule-hint";
import { Section } from "./section";

/** An object's conditions, with what each reason means; nothing of an object without. */
export function ConditionTable({ object }: { readonly object: KubeObject }) {
  const conditions = conditionsOf(object);
  if (conditions.length === 0) return null;
  const rows = conditions.map((condition) => {
    const rule = ruleOfReason(condition.reason ?? "");
    const since = secondsOf(condition.lastTransitionTime);
    return {
      key: condition.type,
      cells: [
        condition.type,
        <Status tone={conditionTone(condition)}>{condition.status}</Status>,
        <>
          {condition.reason}
          {rule && condition.status !== "True" && <RuleHint rule={rule} />}
        </>,
        condition.message,
        since ? <Age since={since} /> : "",
      ],
    };
  });
  return (
    <Section title="Conditions">
      <Grid label="Conditions" columns={["Type", "Status", "Reason", "Message", "Since"]} rows={rows} />
    </Section>
  );
}
