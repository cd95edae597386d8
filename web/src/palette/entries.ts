/** What the palette offers beside objects: every page, and what can be done from anywhere. */
import { chooseNamespace, inNamespace, namespace } from "../app/namespace";
import { navigation } from "../app/pages-in-navigation";
import { go } from "../app/router";
import { signOut } from "../app/session";
import { chooseTheme, theme } from "../app/theme";
import { openHelp } from "./state";

/** One line of the palette. */
export interface PaletteEntry {
  readonly id: string;
  readonly title: string;
  /** What it is of: a section, a kind, a namespace. */
  readonly note: string;
  readonly run: () => void;
}

const beside = [
  { title: "Overview", path: "/" },
  { title: "Topology", path: "/topology" },
  { title: "Create", path: "/create" },
];

/** All pages, in the navigation's order. */
export function pageEntries(): readonly PaletteEntry[] {
  const page = (title: string, path: string, note: string): PaletteEntry => {
    return { id: path, title, note, run: () => go(inNamespace(path)) };
  };
  return [
    ...beside.map(({ title, path }) => page(title, path, "Page")),
    ...navigation.flatMap((section) =>
      section.items.map((item) => page(item.title, item.path, section.title)),
    ),
  ];
}

/** What can be done from anywhere. */
export function commandEntries(namespaces: readonly string[]): readonly PaletteEntry[] {
  const other = theme.value === "dark" ? "light" : "dark";
  const command = (title: string, run: () => void): PaletteEntry => ({
    id: title,
    title,
    note: "Command",
    run,
  });
  return [
    command(`Use the ${other} theme`, () => chooseTheme(other)),
    command("Show the keys", openHelp),
    ...(namespace.value === "" ? [] : [command("Show all namespaces", () => chooseNamespace(""))]),
    ...namespaces
      .filter((name) => name !== namespace.value)
      .map((name) => command(`Show the namespace ${name}`, () => chooseNamespace(name))),
    command("Sign out", () => void signOut()),
  ];
}
