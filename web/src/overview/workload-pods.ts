/** The pods of workloads that are not as desired: the only ones that the Overview has to know. */
import { effect, signal, type ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Pod } from "../kube/kinds";
import { selectorText } from "../kube/selectors";
import { openObjects } from "../live";
import { resource } from "./follow";
import type { Deviation } from "./workloads";

/** Of how many workloads pods are followed at once; of more than these the reason is said without them. */
const WORKLOADS_MAX = 12;

/** Follows the pods of the first deviating workloads, each by its own selector. */
export function useWorkloadPods(found: readonly Deviation[]): readonly Pod[] {
  const wanted = found.slice(0, WORKLOADS_MAX).map(({ object }) => ({
    namespace: object.metadata.namespace ?? "",
    labels: selectorText(object.spec.selector),
  }));
  const key = JSON.stringify(wanted);
  const pods = useMemo(() => followed(wanted), [key]);
  useEffect(() => pods.close, [pods]);
  return pods.value.value;
}

function followed(wanted: readonly { namespace: string; labels: string }[]): {
  value: ReadonlySignal<readonly Pod[]>;
  close: () => void;
} {
  const value = signal<readonly Pod[]>([]);
  const handles = wanted.map((each) => openObjects({ resource: resource("v1/pods"), fields: "", ...each }));
  const end = effect(() => {
    const byUid = new Map(handles.flatMap((handle) => [...handle.view.value.objects]));
    value.value = [...byUid.values()] as Pod[];
  });
  const close = () => {
    end();
    for (const handle of handles) handle.close();
  };
  return { value, close };
}
