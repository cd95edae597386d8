import { Empty } from "../components";

/** The page CustomResources. */
export default function CustomResourcesPage() {
  return <Empty title="CustomResources">This page is being built.</Empty>;
}
