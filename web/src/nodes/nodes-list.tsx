import "./nodes-list.css";
import { useMemo } from "preact/hooks";
import { Link } from "../app/link";
import { go, queryParameter } from "../app/router";
import { Age, CopyLine, ErrorNotice, Freshness, Status, VirtualTable } from "../components";
import type { TableColumn } from "../components/virtual-table";
import { now } from "../live";
import { useAll } from "../overview/follow";
import { useFlags } from "../settings/use-flags";
import { usePodsIfFew } from "./pods-if-few";
import { type NodeRow, nodeRows } from "./rows";

const COLUMNS: readonly TableColumn[] = [
  { id: "name", title: "Name", track: "minmax(110px, 1.1fr)" },
  { id: "status", title: "Status", track: "minmax(160px, 1.6fr)" },
  { id: "note", title: "What happens", track: "minmax(0, 2.2fr)" },
  { id: "address", title: "Address", track: "minmax(190px, 1.3fr)" },
  { id: "roles", title: "Roles", track: "minmax(90px, .8fr)" },
  { id: "pods", title: "Pods", track: "48px", end: true },
  { id: "cpu", title: "CPU", track: "56px", end: true },
  { id: "memory", title: "Memory", track: "64px", end: true },
  { id: "age", title: "Age", track: "56px", end: true },
];

const search = queryParameter("search");

/** The nodes: how each is, what is about to happen to it, and the way in. */
export function NodesList() {
  useFlags();
  const nodes = useAll("v1/nodes");
  const leases = useAll("coordination.k8s.io/v1/leases", { namespace: "kube-node-lease" });
  const pods = usePodsIfFew();
  const wanted = search.value.toLowerCase();
  const rows = useMemo(() => {
    const all = nodeRows(nodes.items, pods ?? [], leases.items, now.value);
    return all.filter((row) => `${row.name} ${row.address} ${row.roles}`.toLowerCase().includes(wanted));
  }, [nodes.items, leases.items, pods, wanted, now.value]);
  if (nodes.error !== null) return <ErrorNotice status={nodes.error} />;
  const down = rows.filter((row) => row.status.tone === "trouble").length;
  return (
    <div class="nodes-list">
      <div class="nodes-list__tools">
        <span class="nodes-list__counts">
          Ready {rows.length - down} · NotReady {down}
        </span>
        <Freshness state={nodes.state} asOf={nodes.asOf} />
      </div>
      <VirtualTable
        label="Nodes"
        columns={COLUMNS}
        count={rows.length}
        rowAt={(index) => rows[index]}
        cells={(row) => <Cells row={row} counted={pods !== null} />}
        onPoint={(index, event) => open(rows[index], event.target)}
        stale={nodes.state === "stale"}
      />
    </div>
  );
}

function open(row: NodeRow | undefined, target: EventTarget | null): void {
  const isControl = target instanceof Element && target.closest("a, button, code") !== null;
  if (row !== undefined && !isControl) go(`/nodes/${row.name}`);
}

function Cells({ row, counted }: { readonly row: NodeRow; readonly counted: boolean }) {
  const { name, status, note, address, ssh, roles } = row;
  const hint = [status.reason, status.message].filter(Boolean).join(": ");
  return (
    <>
      <div role="gridcell">
        <Link to={`/nodes/${name}`}>{name}</Link>
      </div>
      <div role="gridcell" title={hint} class="nodes-list__clipped">
        <Status tone={status.tone}>{status.text}</Status>
        {status.tone === "trouble" && status.since > 0 && (
          <span class="nodes-list__since">
            <Age since={status.since} />
          </span>
        )}
      </div>
      <div role="gridcell" class="nodes-list__clipped nodes-list__quiet" title={note}>
        {note}
      </div>
      <div role="gridcell" class="nodes-list__clipped">
        {ssh === "" ? address : <CopyLine text={ssh} label={`command that opens a shell on ${name}`} />}
      </div>
      <div role="gridcell" class="nodes-list__clipped nodes-list__quiet">
        {roles}
      </div>
      <div role="gridcell" class="nodes-list__number">
        {counted ? row.pods : "–"}
      </div>
      <div role="gridcell" class="nodes-list__number">
        {counted ? percent(row.cpu) : "–"}
      </div>
      <div role="gridcell" class="nodes-list__number">
        {counted ? percent(row.memory) : "–"}
      </div>
      <div role="gridcell" class="nodes-list__number nodes-list__quiet">
        {row.age}
      </div>
    </>
  );
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
