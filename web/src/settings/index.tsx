import { Empty } from "../components";

/** The page Settings. */
export default function SettingsPage() {
  return <Empty title="Settings">This page is being built.</Empty>;
}
