import { withKind } from "../../actions/perform";
import { begin } from "../../actions/open";
import { Age, Button, CopyLine, Status } from "../../components";
import type { Workload } from "../../kube/kinds";
import { kubectl } from "../../kube/kubectl";
import { isOwnedBy } from "../../kube/owners";
import { resourceOf, resourceOfKind, type Resource } from "../../kube/resources";
import { revisionOf, rolloutOf, rolloutSentence } from "../../kube/rollout";
import { selectorText } from "../../kube/selectors";
import { replicasOf } from "../../kube/status";
import { useObjects } from "../../live";
import type { TabProps } from "../body";
import { Bar, Facts, Grid, LinkTo, Section } from "../parts";
import { PodTable } from "./pod-table";

/** The details of what keeps a number of equal pods. */
export function WorkloadDetails({ object, resource }: TabProps) {
  const workload = object as Workload;
  const { wanted, have, ready, updated } = replicasOf(workload);
  const { spec, status } = workload;
  const update = spec.strategy ?? spec.updateStrategy;
  const rolling = update?.rollingUpdate as Record<string, number | string> | undefined;
  const pace = Object.entries(rolling ?? {}).map(([key, value]) => `${key} ${value}`);
  const containers = spec.template.spec.containers;
  return (
    <>
      <Section title={object.kind === "Deployment" ? "Rollout" : "Replicas"}>
        <p>{rolloutSentence(workload)}</p>
        <Facts
          facts={[
            [
              "Ready",
              <Bar
                value={ready}
                total={wanted}
                label={`${ready} of ${wanted}`}
                tone={ready < wanted ? "trouble" : "plain"}
              />,
            ],
            ["Existing", `${have}`],
            ["Updated", object.kind === "ReplicaSet" ? "" : `${updated} of ${wanted}`],
            ["Strategy", update?.type ? [update.type, ...pace].join(", ") : ""],
            ["Selector", selectorText(spec.selector)],
            ["Images", containers.map(({ name, image = "" }) => `${name}: ${image}`).join(", ")],
            ["Paused", spec.paused ? "yes: template changes are not rolled out" : ""],
            [
              "Deadline",
              spec.progressDeadlineSeconds ? `${spec.progressDeadlineSeconds} s without progress` : "",
            ],
            ["Seen generation", status?.observedGeneration ? String(status.observedGeneration) : ""],
          ]}
        />
      </Section>
      {object.kind === "Deployment" && <ReplicaSets deployment={workload} resource={resource} />}
      <PodTable selector={spec.selector} namespace={object.metadata.namespace ?? ""} owner={object} />
    </>
  );
}

function ReplicaSets({
  deployment,
  resource,
}: {
  readonly deployment: Workload;
  readonly resource: Resource;
}) {
  const sets = resourceOfKind("ReplicaSet") ?? resourceOf({ apiVersion: "apps/v1", kind: "ReplicaSet" });
  const { group, version, plural } = sets;
  const { name, namespace = "", uid } = deployment.metadata;
  const labels = selectorText(deployment.spec.selector);
  const view = useObjects({ resource: { group, version, plural }, namespace, labels, fields: "" }).value;
  const own = [...view.objects.values()].filter((each) => isOwnedBy(each, deployment));
  const rows = rolloutOf(
    deployment,
    own.map((each) => withKind(sets, each)),
  );
  const target = { resource, namespace, name };
  return (
    <Section
      title="Revisions"
      aside={
        rows.length > 1 && (
          <Button onClick={() => begin("roll-back", resource, [{ namespace, name, uid }])}>Roll back</Button>
        )
      }
    >
      <Grid
        label="Revisions"
        columns={["Revision", "Replica set", "Ready", "Images", "Age"]}
        rows={rows.map(({ replicaSet, ready, wanted, isNew, images }) => ({
          key: replicaSet.metadata.uid,
          cells: [
            <>
              {revisionOf(replicaSet)} {isNew && <Status tone="ok">current</Status>}
            </>,
            <LinkTo object={replicaSet} />,
            <Bar
              value={ready}
              total={Math.max(wanted, ready, deployment.spec.replicas ?? 1)}
              label={`${ready} of ${wanted}`}
              tone={ready < wanted ? "change" : "plain"}
            />,
            images,
            <Age since={replicaSet.metadata.creationTimestamp} />,
          ],
        }))}
      />
      <CopyLine text={kubectl.rolloutStatus(target)} label="kubectl command" />
    </Section>
  );
}
