import "./settings.css";
import { useEffect, useState } from "preact/hooks";
import { Age, CopyLine, Status } from "../components";
import type { Workload } from "../kube/kinds";
import { replicasOf } from "../kube/status";
import { connection, request } from "../live";
import { useAll } from "../overview/follow";
import { Section } from "../overview/section";
import { session } from "../app/session";
import { clusterName } from "./cluster-name";
import { FlagsSection } from "./flags-section";

interface Version {
  readonly gitVersion?: string;
  readonly platform?: string;
}

/** What this cluster is: its version, its flags with their values and meaning, its add-ons, and the way to it. */
export default function SettingsPage() {
  const [version, setVersion] = useState<Version>({});
  useEffect(() => {
    void request<Version>("GET", "/version").then(setVersion, () => undefined);
  }, []);
  const { server, replica, user, phase, failover } = connection.value;
  const name = clusterName();
  return (
    <div class="settings">
      <Section title="Cluster">
        <dl class="settings__facts">
          <dt>Name</dt>
          <dd>{name === "" ? "not known" : name}</dd>
          <dt>Version</dt>
          <dd>
            {version.gitVersion ?? ""} {version.platform ?? ""}
          </dd>
        </dl>
      </Section>
      <Section title="This page's connection">
        <dl class="settings__facts">
          <dt>State</dt>
          <dd>
            <Status tone={phase === "live" ? "ok" : "change"}>{phase}</Status>
          </dd>
          <dt>API server</dt>
          <dd>{server}</dd>
          <dt>Replica of the Console</dt>
          <dd>{replica === "" ? "the only one" : replica}</dd>
          <dt>User</dt>
          <dd>{user}</dd>
          <dt>Session ends</dt>
          <dd>{ends(session.value?.expires ?? 0)}</dd>
          {failover !== null && (
            <>
              <dt>Last failover</dt>
              <dd>
                from {failover.from} to {failover.to} in {Math.round(failover.gapMs)} ms,{" "}
                <Age since={failover.at} suffix="ago" />
              </dd>
            </>
          )}
        </dl>
      </Section>
      <AddOns />
      <FlagsSection />
    </div>
  );
}

function ends(expires: number): string {
  return expires > 0 ? new Date(expires * 1000).toLocaleString() : "not known";
}

/** Workloads of kube-system that are not the control plane itself. */
function AddOns() {
  const deployments = useAll("apps/v1/deployments", { namespace: "kube-system" });
  const daemonSets = useAll("apps/v1/daemonsets", { namespace: "kube-system" });
  const all = [...deployments.items, ...daemonSets.items] as unknown as readonly Workload[];
  if (all.length === 0) return null;
  return (
    <Section title="Add-ons" state={deployments.state}>
      <table class="plain-table">
        <tbody>
          {all.map((each) => {
            const kind = daemonSets.items.some(({ metadata }) => metadata.uid === each.metadata.uid)
              ? "DaemonSet"
              : "Deployment";
            const { ready, wanted } = replicasOf({ ...each, kind });
            return (
              <tr key={each.metadata.uid}>
                <td class="plain-table__narrow">
                  <Status tone={ready >= wanted ? "ok" : "change"}>{each.metadata.name}</Status>
                </td>
                <td class="plain-table__narrow plain-table__quiet">{kind}</td>
                <td class="plain-table__quiet">
                  {ready} of {wanted} ready
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <CopyLine text="kubectl get deployments,daemonsets -n kube-system" />
    </Section>
  );
}
