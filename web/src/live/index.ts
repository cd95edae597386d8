/** The live data of a page: everything that follows the cluster goes through here. */
export { ApiStatus, apiPath, csrfHeader, pathOf, request, requestStream, requestText } from "./api";
export { exactNow, now } from "./clock";
export { connection, type Connection, type Failover } from "./connection";
export type { Freshness, JournalView, ListView, ObjectsView, ObjectView } from "./merge";
export {
  type Followed,
  type FollowedList,
  openJournal,
  openList,
  openObject,
  openObjects,
  useJournal,
  useList,
  useObject,
  useObjects,
} from "./open";
export type * from "./protocol";
export { compareRevisions, isOlder } from "./revision";
