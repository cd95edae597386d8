import { Empty } from "../components";

/** The page Nodes. */
export default function NodesPage() {
  return <Empty title="Nodes">This page is being built.</Empty>;
}
