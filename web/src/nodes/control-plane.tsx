import { Empty } from "../components";

/** The page Control Plane. */
export default function ControlPlanePage() {
  return <Empty title="Control Plane">This page is being built.</Empty>;
}
