import { Empty } from "../components";

/** The page Objects. */
export default function ObjectsPage() {
  return <Empty title="Objects">This page is being built.</Empty>;
}
