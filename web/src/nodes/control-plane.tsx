import "./node-page.css";
import { ErrorNotice, Freshness } from "../components";
import type { Pod } from "../kube/kinds";
import { connection, now } from "../live";
import { useAll } from "../overview/follow";
import { leadersOf, membersOf } from "../overview/members";
import { LeadersTable, MembersTable } from "../overview/members-section";
import { Section } from "../overview/section";
import { ServerChecks } from "../settings/server-checks";
import { useFlags } from "../settings/use-flags";

const COMPONENTS: readonly (readonly [string, string])[] = [
  ["kube-apiserver", "API servers"],
  ["etcd", "etcd members"],
  ["kube-controller-manager", "Controller managers"],
  ["kube-scheduler", "Schedulers"],
  ["cloud-controller-manager", "Cloud controller managers"],
];

/** The members of the control plane, who leads, and what the serving API server says of itself. */
export default function ControlPlanePage() {
  useFlags();
  const pods = useAll("v1/pods", { namespace: "kube-system", labels: "tier=control-plane" });
  const leases = useAll("coordination.k8s.io/v1/leases", { namespace: "kube-system" });
  const members = membersOf(pods.items as readonly Pod[], leases.items, connection.value.server);
  if (pods.error !== null) return <ErrorNotice status={pods.error} />;
  return (
    <div class={pods.state === "stale" ? "node-page stale-edge" : "node-page"}>
      {COMPONENTS.map(([component, title]) => {
        const these = members.filter((member) => member.component === component);
        const ready = these.filter((member) => member.ready).length;
        if (these.length === 0 && component !== "kube-apiserver") return null;
        return (
          <Section
            key={component}
            title={title}
            note={these.length > 0 ? `${ready} of ${these.length} ready` : undefined}
            tools={
              component === "kube-apiserver" ? <Freshness state={pods.state} asOf={pods.asOf} /> : undefined
            }
          >
            <MembersTable members={these} />
          </Section>
        );
      })}
      <Section title="Leaders">
        <LeadersTable leaders={leadersOf(leases.items, now.value)} />
      </Section>
      <ServerChecks />
    </div>
  );
}
