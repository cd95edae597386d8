import { Empty } from "../components";

/** The page Overview. */
export default function OverviewPage() {
  return <Empty title="Overview">This page is being built.</Empty>;
}
