import { Empty } from "../components";

/** The page Timeline. */
export default function TimelinePage() {
  return <Empty title="Timeline">This page is being built.</Empty>;
}
