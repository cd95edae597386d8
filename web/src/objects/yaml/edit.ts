/** What a person's edit and the cluster's newest version make together. Pure. */
import type { KubeObject } from "../../live/protocol";
import { changedPaths, type Clash, merge3, withValue } from "./merge";
import { editable, fromYaml, toYaml } from "./text";

// What the cluster counts by itself: a change of it is no change that a person has to look at.
const COUNTED = /^metadata\.(resourceVersion|generation|managedFields)/;

/** The fields that somebody else changed since an edit began; the status does not count. */
export function changedSince(base: KubeObject, theirs: KubeObject): string[] {
  return changedPaths(editable(base), editable(theirs)).filter((path) => !COUNTED.test(path));
}

/** Who wrote an object last, as managed fields have it; "somebody" where they do not say. */
export function lastWriter(object: KubeObject): string {
  const fields = (object.metadata.managedFields ?? []) as {
    manager?: string;
    time?: string;
    subresource?: string;
  }[];
  const own = fields.filter(({ subresource }) => !subresource);
  const [newest] = own.sort((a, b) => (b.time ?? "").localeCompare(a.time ?? ""));
  return newest?.manager ?? "somebody";
}

/** An edit that continues from the newest version. */
export interface Continued {
  readonly text: string;
  readonly clashes: readonly Clash[];
}

/** Carries an edit over to the newest version. Throws an Error when the text is no object. */
export function carryOver(base: KubeObject, text: string, theirs: KubeObject): Continued {
  const { value, clashes } = merge3(editable(base), fromYaml(text), editable(theirs));
  const { resourceVersion } = theirs.metadata;
  const own = clashes.filter(({ path }) => path.join(".") !== "metadata.resourceVersion");
  return { text: toYaml(withValue(value, ["metadata", "resourceVersion"], resourceVersion)), clashes: own };
}

/** The text with the other side's value where both changed something. */
export function takeTheirs(text: string, clash: Clash): string {
  return toYaml(withValue(fromYaml(text), clash.path, clash.theirs));
}

/** A value of a clash on one line. */
export function shortValue(value: unknown): string {
  if (value === undefined) return "(removed)";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
