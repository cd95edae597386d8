import { Empty } from "../components";

/** The page Topology. */
export default function TopologyPage() {
  return <Empty title="Topology">This page is being built.</Empty>;
}
