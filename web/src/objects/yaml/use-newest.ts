import { useEffect, useState } from "preact/hooks";
import type { Resource } from "../../kube/resources";
import { isOlder, type KubeObject } from "../../live";
import { read } from "./write";

const SETTLE_MS = 300;

/** The whole object as it is now: read again, a moment after what is followed live has a newer version. */
export function useNewest(resource: Resource, followed: KubeObject, base: KubeObject): KubeObject {
  const [newest, setNewest] = useState(base);
  const { resourceVersion } = followed.metadata;
  const known = isOlder(newest.metadata.resourceVersion, base.metadata.resourceVersion) ? base : newest;
  useEffect(() => {
    if (!isOlder(known.metadata.resourceVersion, resourceVersion)) return;
    let current = true;
    const timer = setTimeout(() => {
      read(resource, followed).then(
        (found) => current && setNewest(found),
        // An outage: the next version that comes through asks again.
        () => undefined,
      );
    }, SETTLE_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [resourceVersion]);
  return known;
}
