import { Link } from "../../app/link";
import { objectPath } from "../../app/resources";
import type { KubeObject } from "../../live/protocol";
import { resourceOf } from "../../kube/resources";

interface ObjectLinkProps {
  readonly kind: string;
  readonly name: string;
  readonly apiVersion?: string;
  readonly namespace?: string;
  /** Whether the kind stands before the name. */
  readonly withKind?: boolean;
  /** Which tab of the page to open. */
  readonly tab?: string;
}

/** The address of an object's page. */
export function pageOf(object: Pick<ObjectLinkProps, "kind" | "name" | "apiVersion" | "namespace">): string {
  const { kind, name, apiVersion = "v1", namespace = "" } = object;
  const resource = resourceOf({ apiVersion, kind });
  return objectPath(resource, resource.namespaced ? namespace : "", name);
}

/** A link to an object's page. */
export function ObjectLink({ withKind = false, tab = "", ...object }: ObjectLinkProps) {
  const to = pageOf(object);
  return (
    <Link to={tab ? `${to}?tab=${tab}` : to}>
      {withKind && <span class="object-link__kind">{object.kind} </span>}
      {object.name}
    </Link>
  );
}

/** A link to the page of an object at hand. */
export function LinkTo({
  object,
  withKind = false,
}: {
  readonly object: KubeObject;
  readonly withKind?: boolean;
}) {
  const { kind = "", apiVersion = "v1" } = object;
  const { name, namespace = "" } = object.metadata;
  return (
    <ObjectLink kind={kind} apiVersion={apiVersion} name={name} namespace={namespace} withKind={withKind} />
  );
}
