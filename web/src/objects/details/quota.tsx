import { mapAt } from "../../kube/object";
import { share } from "../../kube/quantities";
import type { TabProps } from "../body";
import { Bar, Grid, Section } from "../parts";

/** The details of a ResourceQuota: how much of each resource is used. */
export function QuotaDetails({ object }: TabProps) {
  const hard = mapAt(object, "spec", "hard");
  const used = mapAt(object, "status", "used");
  return (
    <Section title="Used">
      <Grid
        label="Quota"
        columns={["Resource", "Used of limit"]}
        rows={Object.entries(hard).map(([name, limit]) => {
          const part = share(used[name] ?? "0", limit) ?? 0;
          const tone = part >= 1 ? "trouble" : part > 0.8 ? "change" : "plain";
          return {
            key: name,
            cells: [
              name,
              <Bar value={part} total={1} label={`${used[name] ?? "0"} of ${limit}`} tone={tone} />,
            ],
          };
        })}
      />
    </Section>
  );
}
