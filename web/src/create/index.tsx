import { Empty } from "../components";

/** The page Create. */
export default function CreatePage() {
  return <Empty title="Create">This page is being built.</Empty>;
}
