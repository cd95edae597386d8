import type { Seen, Write } from "./chain";
import { eventTime } from "./events";
import type { EndpointSlice, KubeEvent } from "./kinds";
import { managedFieldsOf, secondsOf, textAt, type KubeObject } from "./object";
import { controllerOf } from "./owners";

type Draft = Omit<Write, "revision"> & { uid: string };

const place = ({ kind, metadata }: KubeObject) => ({
  kind: kind ?? "",
  namespace: metadata.namespace ?? "",
  name: metadata.name,
  uid: metadata.uid,
});

/** Which loop writes as this manager, as far as the object tells: all of the controller manager's loops share a name. */
export function loopOfManager(manager: string, object: KubeObject): string {
  if (manager === "kube-scheduler") return "scheduler";
  if (manager === "kubelet") {
    const node = textAt(object, "spec", "nodeName") || (object.kind === "Node" ? object.metadata.name : "");
    return node ? `kubelet/${node}` : "kubelet";
  }
  // Events name the one loop that reports them: `replicaset-controller`.
  const reporting = /^([a-z]+)-controller$/.exec(manager)?.[1];
  if (reporting) return `controller-manager/${reporting}`;
  if (manager !== "kube-controller-manager" && manager !== "controller-manager") return `user/${manager}`;
  const owner = controllerOf(object)?.kind.toLowerCase();
  const own = object.kind?.toLowerCase() ?? "";
  const loop = own === "pod" || own === "replicaset" || own === "job" ? (owner ?? own) : own;
  return `controller-manager/${loop}`;
}

function writesOf(object: KubeObject): Draft[] {
  const created = secondsOf(object.metadata.creationTimestamp);
  const found: Draft[] = [];
  let creation: Draft | undefined;
  for (const { manager = "unknown", time, operation = "", subresource } of managedFieldsOf(object)) {
    const at = secondsOf(time);
    const isCreation = creation === undefined && !subresource && at - created < 1;
    const summary = isCreation ? "created" : `${subresource ?? "fields"} written by ${operation}`;
    const cause = { loop: loopOfManager(manager, object) };
    const verb = isCreation ? "ADDED" : "MODIFIED";
    const draft: Draft = {
      ...place(object),
      time: isCreation ? created : at,
      verb,
      summary,
      cause,
      inferred: true,
    };
    if (isCreation) creation = draft;
    found.push(draft);
  }
  if (creation) return found;
  const owner = controllerOf(object);
  const loop = owner ? `controller-manager/${owner.kind.toLowerCase()}` : "unknown";
  const first = {
    ...place(object),
    time: created,
    verb: "ADDED",
    summary: "created",
    cause: { loop },
    inferred: true,
  };
  return [first, ...found];
}

function ofEvent(event: KubeEvent, byUid: Map<string, KubeObject>): Draft[] {
  const object = byUid.get(event.involvedObject?.uid ?? "");
  if (!object) return [];
  const component = event.reportingComponent || event.source?.component || "unknown";
  const loop = component === "default-scheduler" ? "scheduler" : loopOfManager(component, object);
  const note = event.message ?? event.note ?? "";
  const cause = { loop: loop.replace(/^user\//, ""), note };
  return [
    {
      ...place(object),
      time: eventTime(event),
      verb: "MODIFIED",
      summary: event.reason ?? "",
      cause,
      inferred: true,
    },
  ];
}

/** What may have caused a write to an object: writes to its owners, to the pods that it lists, and to itself. */
function causesOf(object: KubeObject): string[] {
  const owners = (object.metadata.ownerReferences ?? []).map(({ uid }) => uid);
  const listed = ((object as EndpointSlice).endpoints ?? []).flatMap(({ targetRef }) => targetRef?.uid ?? []);
  return [...listed, ...owners, object.metadata.uid];
}

/**
 * Writes as a cluster without a journal lets one infer them: from managed fields, creation times and events of objects
 * that own each other. Each is linked to the latest earlier write that may have caused it.
 */
export function inferWrites(objects: readonly KubeObject[], events: readonly KubeEvent[]): Write[] {
  const byUid = new Map(objects.map((each) => [each.metadata.uid, each]));
  const drafts = [...objects.flatMap(writesOf), ...events.flatMap((event) => ofEvent(event, byUid))];
  const latest = new Map<string, Seen>();
  return drafts
    .filter(({ time }) => time > 0)
    .sort((a, b) => a.time - b.time)
    .map(({ uid, ...draft }, index) => {
      const object = byUid.get(uid);
      const candidates = (object ? causesOf(object) : []).flatMap((each) => latest.get(each) ?? []);
      const seen = candidates.sort((a, b) => b.revision - a.revision).slice(0, 1);
      const write: Write = { ...draft, revision: index + 1, cause: { ...draft.cause, seen } };
      latest.set(uid, {
        kind: write.kind,
        namespace: write.namespace,
        name: write.name,
        revision: write.revision,
      });
      return write;
    });
}
