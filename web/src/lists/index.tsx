import { Empty } from "../components";

/** The page List. */
export default function ListPage() {
  return <Empty title="List">This page is being built.</Empty>;
}
