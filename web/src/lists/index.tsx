import "./lists.css";
import { Empty } from "../components";
import type { PageProps } from "../app/routes";
import { resourceNamed } from "../app/resources";
import { resourceInfo } from "../kube/resources";
import { ListPage } from "./list-page";

/** The list of any resource: `/pods`, `/widgets.v1.example.com`. */
export default function ListsPage({ params }: PageProps) {
  const resource = resourceNamed(params.resource ?? "");
  if (resource === null) return <Empty title="There is no such list" />;
  return (
    <ListPage key={params.resource} resource={{ ...resourceInfo(resource), version: resource.version }} />
  );
}
