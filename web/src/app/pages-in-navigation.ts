/** The navigation as data: its sections in order, and the pages of each. */
import { listPath, resources, type Section } from "./resources";

/** One line of the navigation. */
export interface NavigationItem {
  readonly title: string;
  readonly path: string;
}

/** A section of the navigation. */
export interface NavigationSection {
  readonly title: Section;
  readonly items: readonly NavigationItem[];
}

const page = (title: string, path: string): NavigationItem => ({ title, path });

function lists(section: Section): NavigationItem[] {
  return resources.filter((each) => each.section === section).map((each) => page(each.title, listPath(each)));
}

function withAfter(items: readonly NavigationItem[], after: string, item: NavigationItem): NavigationItem[] {
  return items.flatMap((each) => (each.title === after ? [each, item] : [each]));
}

/** The navigation's sections below Overview. */
export const navigation: readonly NavigationSection[] = [
  { title: "Workloads", items: lists("Workloads") },
  { title: "Networking", items: lists("Networking") },
  { title: "Storage", items: lists("Storage") },
  {
    title: "Troubleshooting",
    items: [
      page("Timeline", "/timeline"),
      page("Topology", "/topology"),
      page("Drills", "/drills"),
      ...lists("Troubleshooting"),
      page("Search", "/search"),
    ],
  },
  {
    title: "Administration",
    items: [
      ...withAfter(lists("Administration"), "Nodes", page("Control Plane", "/control-plane")),
      page("Custom Resources", "/custom-resources"),
      page("Cluster Settings", "/settings"),
    ],
  },
];

/** The section whose page a path is, and that page; null for pages outside of the sections. */
export function placeInNavigation(path: string): { section: NavigationSection; item: NavigationItem } | null {
  const first = `/${path.split("/")[1] ?? ""}`;
  for (const section of navigation) {
    const item = section.items.find((each) => each.path === first);
    if (item !== undefined) return { section, item };
  }
  return null;
}
