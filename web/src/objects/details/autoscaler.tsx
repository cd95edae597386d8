import { Age } from "../../components";
import { metricText } from "../../kube/metrics";
import { at, listAt, numberAt, textAt } from "../../kube/object";
import type { TabProps } from "../body";
import { Facts, Grid, ObjectLink, Section } from "../parts";

/** The details of a HorizontalPodAutoscaler. */
export function AutoscalerDetails({ object }: TabProps) {
  const ref = at(object, "spec", "scaleTargetRef") as
    { kind: string; name: string; apiVersion?: string } | undefined;
  const last = textAt(object, "status", "lastScaleTime");
  const current = listAt(object, "status", "currentMetrics");
  return (
    <Section title="Scaling">
      <Facts
        facts={[
          ["Scales", ref && <ObjectLink {...ref} namespace={object.metadata.namespace ?? ""} withKind />],
          [
            "Replicas",
            `${numberAt(object, ["status", "currentReplicas"])} now, ${numberAt(object, ["status", "desiredReplicas"])} wanted`,
          ],
          [
            "Bounds",
            `${numberAt(object, ["spec", "minReplicas"], 1)} to ${numberAt(object, ["spec", "maxReplicas"])}`,
          ],
          ["Last scaled", last ? <Age since={last} suffix="ago" /> : "never"],
        ]}
      />
      <Grid
        label="Metrics"
        columns={["Metric", "Now", "Target"]}
        empty="It has no metrics."
        rows={listAt(object, "spec", "metrics").map((metric, index) => {
          const { name, amount } = metricText(metric, "target");
          return {
            key: name,
            cells: [name, metricText(current[index], "current").amount || "unknown", amount],
          };
        })}
      />
    </Section>
  );
}
