import { openHelp, openPalette } from "../palette/state";
import { inNamespace } from "./namespace";
import { type KeyBinding, useKeys } from "./keys";
import { go } from "./router";
import { searchFieldId } from "./search-field";

const pages: readonly (readonly [letter: string, title: string, path: string])[] = [
  ["o", "Overview", "/"],
  ["p", "Pods", "/pods"],
  ["d", "Deployments", "/deployments"],
  ["s", "Services", "/services"],
  ["n", "Nodes", "/nodes"],
  ["c", "Control Plane", "/control-plane"],
  ["e", "Events", "/events"],
  ["t", "Timeline", "/timeline"],
  ["r", "Drills", "/drills"],
  ["y", "Topology", "/topology"],
];

const everywhere: readonly KeyBinding[] = [
  { keys: "mod+k", title: "Find any page, object or command", whileTyping: true, run: openPalette },
  { keys: "/", title: "Search", run: () => document.getElementById(searchFieldId)?.focus() },
  { keys: "[", title: "Back", run: () => window.history.back() },
  { keys: "]", title: "Forward", run: () => window.history.forward() },
  { keys: "?", title: "These keys", run: openHelp },
];

const going = pages.map(([letter, title, path]): KeyBinding => {
  return { keys: `g ${letter}`, title, run: () => go(inNamespace(path)) };
});

/** The keys that every page has. */
export function useGlobalKeys(): void {
  useKeys("Go to", going);
  useKeys("Everywhere", everywhere);
}
