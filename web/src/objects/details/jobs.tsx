import { Age, CopyLine } from "../../components";
import { kubectl } from "../../kube/kubectl";
import { at, listAt, numberAt, textAt } from "../../kube/object";
import type { LabelSelector } from "../../kube/selectors";
import type { TabProps } from "../body";
import { Bar, Facts, ObjectLink, Section } from "../parts";
import { PodTable } from "./pod-table";

/** The details of a Job. */
export function JobDetails({ object }: TabProps) {
  const wanted = numberAt(object, ["spec", "completions"], 1);
  const succeeded = numberAt(object, ["status", "succeeded"]);
  const failed = numberAt(object, ["status", "failed"]);
  const limit = numberAt(object, ["spec", "backoffLimit"], 6);
  return (
    <>
      <Section title="Progress">
        <Facts
          facts={[
            ["Succeeded", <Bar value={succeeded} total={wanted} label={`${succeeded} of ${wanted}`} />],
            ["Active", String(numberAt(object, ["status", "active"]))],
            ["Failed", `${failed}; given up after ${limit} retries`],
            ["Parallelism", String(numberAt(object, ["spec", "parallelism"], 1))],
            [
              "Started",
              textAt(object, "status", "startTime") && (
                <Age since={textAt(object, "status", "startTime")} suffix="ago" />
              ),
            ],
            ["Suspended", at(object, "spec", "suspend") === true ? "yes" : ""],
            ["Removed after", ttl(numberAt(object, ["spec", "ttlSecondsAfterFinished"], -1))],
          ]}
        />
      </Section>
      <PodTable
        selector={at(object, "spec", "selector") as LabelSelector | undefined}
        namespace={object.metadata.namespace ?? ""}
        owner={object}
      />
    </>
  );
}

const ttl = (seconds: number) => (seconds < 0 ? "" : `${seconds} s after its end`);

/** The details of a CronJob. */
export function CronJobDetails({ object, resource }: TabProps) {
  const { namespace = "", name } = object.metadata;
  const last = textAt(object, "status", "lastScheduleTime");
  const active = listAt<{ name: string }>(object, "status", "active");
  return (
    <Section title="Schedule">
      <Facts
        facts={[
          ["Schedule", <code>{textAt(object, "spec", "schedule")}</code>],
          ["Time zone", textAt(object, "spec", "timeZone") || "the controller manager's"],
          ["Last started", last ? <Age since={last} suffix="ago" /> : "never"],
          ["Suspended", at(object, "spec", "suspend") === true ? "yes" : ""],
          ["Concurrency", textAt(object, "spec", "concurrencyPolicy")],
          [
            "Running",
            active.length > 0 &&
              active.map((each) => (
                <ObjectLink
                  key={each.name}
                  apiVersion="batch/v1"
                  kind="Job"
                  name={each.name}
                  namespace={namespace}
                />
              )),
          ],
        ]}
      />
      <CopyLine text={kubectl.trigger({ resource, namespace, name }, `${name}-manual`)} />
    </Section>
  );
}
