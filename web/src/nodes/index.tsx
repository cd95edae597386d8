import type { PageProps } from "../app/routes";
import { NodePage } from "./node-page";
import { NodesList } from "./nodes-list";

/** The nodes, or one of them. */
export default function NodesPage({ params }: PageProps) {
  const { name = "" } = params;
  return name === "" ? <NodesList /> : <NodePage name={name} />;
}
