import { Link } from "../app/link";
import { Age, Status } from "../components";
import { span } from "../kube/ages";
import type { DataState } from "../live/protocol";
import { FlagValue } from "./flag";
import type { Leader, Member } from "./members";
import { Section } from "./section";

interface MembersSectionProps {
  readonly members: readonly Member[];
  readonly leaders: readonly Leader[];
  readonly state: DataState;
}

/** The members of the control plane in short, and who leads. */
export function MembersSection({ members, leaders, state }: MembersSectionProps) {
  return (
    <Section title="Control plane" state={state} tools={<Link to="/control-plane">More</Link>}>
      <MembersTable
        members={members.filter(({ component }) => component === "kube-apiserver" || component === "etcd")}
      />
      <LeadersTable leaders={leaders} />
    </Section>
  );
}

/** Members, a row each. */
export function MembersTable({ members }: { readonly members: readonly Member[] }) {
  if (members.length === 0)
    return (
      <p class="overview__quiet">
        The control plane runs outside of the cluster, or you may not see its pods.
      </p>
    );
  return (
    <table class="plain-table">
      <thead>
        <tr>
          <th>Member</th>
          <th>Status</th>
          <th class="plain-table__number">Restarts</th>
          <th>Node</th>
        </tr>
      </thead>
      <tbody>
        {members.map((member) => (
          <MemberRow key={member.name} member={member} />
        ))}
      </tbody>
    </table>
  );
}

function MemberRow({ member }: { readonly member: Member }) {
  const { name, status, tone, restarts, restartedAt, lastExit, node, leads, serves } = member;
  return (
    <tr>
      <td>
        <Link to={`/pods/kube-system/${name}`}>{name}</Link>
        {serves && <span class="overview__tag overview__tag--here">serves this page</span>}
        {leads && <span class="overview__tag">leads</span>}
      </td>
      <td class="plain-table__narrow">
        <Status tone={tone}>{status}</Status>
      </td>
      <td class="plain-table__number">
        {restarts}
        {restartedAt > 0 && (
          <span class="overview__quiet" title={`it ended with ${lastExit}`}>
            {" "}
            (<Age since={restartedAt} suffix="ago" />)
          </span>
        )}
      </td>
      <td class="plain-table__narrow">
        <Link to={`/nodes/${node}`}>{node}</Link>
      </td>
    </tr>
  );
}

/** The leaders of the loops by their Leases. */
export function LeadersTable({ leaders }: { readonly leaders: readonly Leader[] }) {
  if (leaders.length === 0) return null;
  return (
    <table class="plain-table">
      <thead>
        <tr>
          <th>Leads as</th>
          <th>Holder</th>
          <th class="plain-table__number">Renewed</th>
          <th class="plain-table__number">Lasts</th>
        </tr>
      </thead>
      <tbody>
        {leaders.map((leader) => (
          <tr key={leader.component}>
            <td>{leader.component}</td>
            <td title={leader.holder}>
              <Status tone={leader.late ? "trouble" : "ok"}>{leader.node}</Status>
            </td>
            <td class="plain-table__number">{span(Math.floor(leader.age))} ago</td>
            <td class="plain-table__number">
              <FlagValue name="controller-manager.leader-elect-lease-duration">
                {span(leader.duration)}
              </FlagValue>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
