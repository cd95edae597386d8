import "./custom-resources.css";
import { useEffect, useState } from "preact/hooks";
import { Link } from "../app/link";
import { inNamespace } from "../app/namespace";
import { location } from "../app/router";
import { listPath, type Resource } from "../app/resources";
import { Empty, ErrorNotice } from "../components";
import { learn } from "../kube/resources";
import { ApiStatus, type KubeStatus, request, useObjects } from "../live";
import { type ApiGroup, type ApiResources, beyondNavigation, isBuiltIn } from "./discovery";

const definitions = {
  resource: { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" },
  namespace: "",
  labels: "",
  fields: "",
};

/** The resources of this cluster that the navigation does not name: custom ones first, then Kubernetes' other ones. */
export default function CustomResourcesPage() {
  const known = useObjects(definitions).value;
  // Asked again whenever a definition comes, goes or changes.
  const [found, refused] = useDiscovery(known.revision);
  const search = (location.value.query.search ?? "").toLowerCase();
  if (refused !== null) return <ErrorNotice status={refused} />;
  if (found === null) return null;
  const matching = found.filter((each) =>
    `${each.title} ${each.plural} ${each.group}`.toLowerCase().includes(search),
  );
  const custom = matching.filter((each) => !isBuiltIn(each.group));
  const others = matching.filter((each) => isBuiltIn(each.group));
  return (
    <div class="custom-resources">
      <Part title="Custom resources" resources={custom} />
      {custom.length === 0 && search === "" && (
        <p class="custom-resources__none">
          This cluster has no custom resources yet: a CustomResourceDefinition adds one, and its list appears
          here with the columns that it names.
        </p>
      )}
      <Part title="Other resources of Kubernetes" resources={others} />
      {matching.length === 0 && search !== "" && <Empty title="No resource is named like that" />}
    </div>
  );
}

function Part({ title, resources }: { readonly title: string; readonly resources: readonly Resource[] }) {
  if (resources.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <ul>
        {resources.map((resource) => (
          <li key={`${resource.group}/${resource.plural}`}>
            <Link to={inNamespace(listPath(resource))} class="custom-resources__row">
              <span class="custom-resources__title">{resource.title}</span>
              <span>
                {resource.group === "" ? resource.version : `${resource.group}/${resource.version}`}
              </span>
              <span>{resource.namespaced ? "in namespaces" : "of the cluster"}</span>
              <span>{resource.shortNames.join(", ")}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function useDiscovery(revision: string): readonly [readonly Resource[] | null, KubeStatus | null] {
  const [found, setFound] = useState<readonly Resource[] | null>(null);
  const [refused, setRefused] = useState<KubeStatus | null>(null);
  useEffect(() => {
    let current = true;
    discover().then(
      (resources) => {
        for (const resource of resources) learn(resource);
        if (current) setFound(resources);
      },
      (error: unknown) => {
        if (current) setRefused(error instanceof ApiStatus ? error.status : { message: String(error) });
      },
    );
    return () => {
      current = false;
    };
  }, [revision]);
  return [found, refused];
}

async function discover(): Promise<readonly Resource[]> {
  const { groups } = await request<{ readonly groups: readonly ApiGroup[] }>("GET", "/apis");
  const paths = groups.flatMap(({ preferredVersion }) => preferredVersion?.groupVersion ?? []);
  const all = await Promise.allSettled(
    ["/api/v1", ...paths.map((path) => `/apis/${path}`)].map((path) => request<ApiResources>("GET", path)),
  );
  // A group whose server is away has no resources for the moment.
  return all.flatMap((each) => (each.status === "fulfilled" ? beyondNavigation(each.value) : []));
}
