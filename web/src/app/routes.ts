/** The pages: what their paths are, and where their code is, which loads when a person goes there. */
import type { ComponentType } from "preact";
import { matchPath, type Params } from "./match";
import { resourceNamed } from "./resources";

/** What every page is given: the parts of its path by name. */
export interface PageProps {
  readonly params: Params;
}

/** The module of a page. */
export interface PageModule {
  readonly default: ComponentType<PageProps>;
}

/** A page. */
export interface Route {
  /** Such as `/drills/:name`. */
  readonly pattern: string;
  /** Of the browser's tab and the breadcrumbs; what the path names replaces `:name`. */
  readonly title: string;
  readonly load: () => Promise<PageModule>;
  /** Whether the page shows what is in a namespace, so that the header offers to choose one. */
  readonly namespaced?: boolean;
  /** Whether the header's search filters what the page lists, by the address's `search`. */
  readonly filters?: boolean;
  /** Whether a path's parameters name something. */
  readonly accepts?: (params: Params) => boolean;
}

const known = (params: Params): boolean => resourceNamed(params.resource ?? "") !== null;

/** All pages; the first that matches is shown. */
export const routes: readonly Route[] = [
  { pattern: "/", title: "Overview", load: () => import("../overview") },
  { pattern: "/sign-in", title: "Sign in", load: () => import("../sign-in") },
  { pattern: "/topology", title: "Topology", load: () => import("../topology"), namespaced: true },
  {
    pattern: "/timeline",
    title: "Timeline",
    load: () => import("../timeline"),
    namespaced: true,
    filters: true,
  },
  { pattern: "/drills", title: "Drills", load: () => import("../drills") },
  { pattern: "/drills/:name", title: ":name", load: () => import("../drills") },
  { pattern: "/search", title: "Search", load: () => import("../search"), namespaced: true, filters: true },
  {
    pattern: "/events",
    title: "Events",
    load: () => import("../overview/events-page"),
    namespaced: true,
    filters: true,
  },
  { pattern: "/nodes", title: "Nodes", load: () => import("../nodes"), filters: true },
  { pattern: "/nodes/:name", title: ":name", load: () => import("../nodes") },
  { pattern: "/control-plane", title: "Control Plane", load: () => import("../nodes/control-plane") },
  { pattern: "/settings", title: "Cluster Settings", load: () => import("../settings") },
  { pattern: "/create", title: "Create", load: () => import("../create"), namespaced: true },
  {
    pattern: "/custom-resources",
    title: "Custom Resources",
    load: () => import("../lists/custom-resources"),
    filters: true,
  },
  {
    pattern: "/:resource",
    title: ":resource",
    load: () => import("../lists"),
    namespaced: true,
    filters: true,
    accepts: known,
  },
  { pattern: "/:resource/:name", title: ":name", load: () => import("../objects"), accepts: known },
  {
    pattern: "/:resource/:namespace/:name",
    title: ":name",
    load: () => import("../objects"),
    accepts: known,
  },
];

/** A page and what its path names. */
export interface Found {
  readonly route: Route;
  readonly params: Params;
}

/** The page of a path; null when there is none. */
export function routeOf(path: string): Found | null {
  for (const route of routes) {
    const params = matchPath(route.pattern, path);
    if (params !== null && (route.accepts?.(params) ?? true)) return { route, params };
  }
  return null;
}
