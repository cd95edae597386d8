import { Empty } from "../components";

/** The page Drills. */
export default function DrillsPage() {
  return <Empty title="Drills">This page is being built.</Empty>;
}
