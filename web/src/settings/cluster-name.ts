import { session } from "../app/session";

/** The cluster's name as the back end knows it; empty where it does not say. */
export function clusterName(): string {
  const name = session.value?.about.cluster;
  return typeof name === "string" ? name : "";
}
