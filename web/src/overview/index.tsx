import "./overview.css";
import { Link } from "../app/link";
import { Freshness, Status } from "../components";
import { connection, now } from "../live";
import type { Pod, Workload } from "../kube/kinds";
import { nodeStatus } from "../nodes/status";
import { useFlags } from "../settings/use-flags";
import { Deviations } from "./deviations";
import { EventsSection } from "./events-section";
import { leastCurrent, useAll } from "./follow";
import { type Headline, headlineOf } from "./headline";
import { MembersSection } from "./members-section";
import { leadersOf, membersOf } from "./members";
import { OpenDrills } from "./open-drills";
import { useWorkloadPods } from "./workload-pods";
import { deviations } from "./workloads";

/** Health at a glance: one headline, four figures, what is not as desired and why, the control plane and live events. */
export default function OverviewPage() {
  useFlags();
  const nodes = useAll("v1/nodes");
  const deployments = useAll("apps/v1/deployments");
  const statefulSets = useAll("apps/v1/statefulsets");
  const daemonSets = useAll("apps/v1/daemonsets");
  const replicaSets = useAll("apps/v1/replicasets");
  const control = useAll("v1/pods", { namespace: "kube-system", labels: "tier=control-plane" });
  const leases = useAll("coordination.k8s.io/v1/leases", { namespace: "kube-system" });
  const events = useAll("v1/events");
  const current = leastCurrent([nodes, deployments, control]);
  const sets = {
    deployments: deployments.items as readonly Workload[],
    statefulSets: statefulSets.items as readonly Workload[],
    daemonSets: daemonSets.items as readonly Workload[],
    replicaSets: replicaSets.items as readonly Workload[],
    nodes: nodes.items,
  };
  const pods = useWorkloadPods(deviations({ ...sets, pods: [] }));
  const found = deviations({ ...sets, pods });
  const members = membersOf(control.items as readonly Pod[], leases.items, connection.value.server);
  const leaders = leadersOf(leases.items, now.value);
  const headline = headlineOf({ nodes: nodes.items, members, leaders, deviations: found, now: now.value });
  const ready = nodes.items.filter((node) => nodeStatus(node).tone !== "trouble").length;
  const servers = members.filter((member) => member.component === "kube-apiserver");
  const workloads = deployments.items.length + statefulSets.items.length + daemonSets.items.length;
  return (
    <div class={current.state === "stale" ? "overview stale-edge" : "overview"}>
      <HeadlineBox headline={current.state === "loading" ? LOADING : headline} state={current} />
      <div class="overview__figures">
        <Figure name="Nodes Ready" value={ready} of={nodes.items.length} to="/nodes" />
        <Figure
          name="API servers ready"
          value={servers.filter((server) => server.ready).length}
          of={servers.length}
          to="/control-plane"
        />
        <Figure
          name="Workloads as desired"
          value={workloads - found.length}
          of={workloads}
          to="/deployments"
        />
        <OpenDrills />
      </div>
      <Deviations found={found} state={deployments.state} />
      <div class="overview__columns">
        <MembersSection members={members} leaders={leaders} state={control.state} />
        <EventsSection events={events.items} state={events.state} />
      </div>
    </div>
  );
}

const LOADING: Headline = { text: "Looking at the cluster", more: "", tone: "idle", link: "" };

interface HeadlineBoxProps {
  readonly headline: Headline;
  readonly state: { readonly state: "loading" | "live" | "stale"; readonly asOf: number };
}

function HeadlineBox({ headline, state }: HeadlineBoxProps) {
  const { text, more, tone, link } = headline;
  return (
    <div class={`overview__headline overview__headline--${tone}`} role="status">
      <Status tone={tone} />
      <div class="overview__headline-words">
        <span class="overview__headline-text">{link === "" ? text : <Link to={link}>{text}</Link>}</span>
        {more !== "" && <span class="overview__headline-more">{more}</span>}
      </div>
      <Freshness state={state.state} asOf={state.asOf} />
    </div>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: number;
  readonly of: number;
  readonly to: string;
}

function Figure({ name, value, of, to }: FigureProps) {
  const lacks = value < of;
  return (
    <Link to={to} class="overview__figure">
      <span class={lacks ? "overview__figure-value overview__figure-value--lacks" : "overview__figure-value"}>
        {value}
        <span class="overview__figure-of"> of {of}</span>
      </span>
      <span class="overview__figure-name">{name}</span>
    </Link>
  );
}
