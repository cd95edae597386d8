import { Empty } from "../components";

/** The page Search. */
export default function SearchPage() {
  return <Empty title="Search">This page is being built.</Empty>;
}
