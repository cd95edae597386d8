/** Matches a path against patterns such as `/drills/:name`, purely. */

/** The parts of a path that a pattern names. */
export type Params = Readonly<Record<string, string>>;

/** What `pattern` names in `path`; null when it does not match. */
export function matchPath(pattern: string, path: string): Params | null {
  const wanted = pattern.split("/").filter((part) => part !== "");
  const given = path.split("/").filter((part) => part !== "");
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = decoded(given[index] ?? "");
    if (part.startsWith(":")) params[part.slice(1)] = value;
    else if (part !== value) return null;
  }
  return params;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A path and its query, such as `/pods?ns=default`. */
export interface Location {
  readonly path: string;
  readonly query: Params;
}

/** The address of a location; parameters that are empty are left out. */
export function addressOf(path: string, query: Params = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== "");
  const text = new URLSearchParams(given).toString().replaceAll("%2C", ",").replaceAll("%2F", "/");
  return text === "" ? path : `${path}?${text}`;
}

/** The location that an address names. */
export function locationOf(address: string): Location {
  const [path = "/", query = ""] = address.split("#")[0]?.split("?", 2) ?? [];
  return { path, query: Object.fromEntries(new URLSearchParams(query)) };
}
