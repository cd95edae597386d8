import { useEffect, useState } from "preact/hooks";
import { useJournal, request, type KubeObject } from "../../live";
import type { Write } from "../../kube/chain";

const WRITES_MAX = 2000;

/** What is known of the writes around an object. */
export interface Recorded {
  readonly writes: readonly Write[];
  /** Whether the cluster records causes at all. */
  readonly recorded: boolean;
  /** Whether the user may not read what is recorded. */
  readonly refused: boolean;
  readonly loading: boolean;
}

/** The journal, with the object's last write where that is older than the journal reaches. */
export function useRecorded(object: KubeObject): Recorded {
  const view = useJournal({ since: 0, limit: WRITES_MAX }).value;
  const [stored, setStored] = useState<readonly Write[]>([]);
  const { kind = "", metadata } = object;
  const { namespace = "", name } = metadata;
  const writes = view.entries as unknown as readonly Write[];
  const isThere = writes.some(
    (each) => each.kind === kind && each.name === name && each.namespace === namespace,
  );
  const refused = view.error !== null;
  const recorded = view.recorded && !refused;
  const loading = view.state === "loading" && !refused;
  useEffect(() => {
    if (loading || isThere || !recorded) return;
    const query = { kind: kind.toLowerCase(), namespace, name, limit: "20" };
    request<{ items: Write[] }>("GET", "/homeostat/journal", undefined, { query }).then(
      ({ items }) => setStored(items),
      // Without the right to read the journal there is nothing more to say.
      () => setStored([]),
    );
  }, [loading, isThere, recorded, kind, namespace, name]);
  return { writes: isThere ? writes : [...stored, ...writes], recorded, refused, loading };
}
