/** Actions on labels and annotations. */
import { kubectl } from "../kube/kubectl";
import type { KubeObject } from "../kube/object";
import { objectPath } from "../kube/resources";
import { type ActionSpec, MERGE_PATCH, patching, type Values } from "./contract";

type Part = "labels" | "annotations";

/** Changes as kubectl takes them, one on a line: `key=value` sets, `key-` removes. Undefined where a line is neither. */
export function parseChanges(text: string): Record<string, string | null> | undefined {
  const found: Record<string, string | null> = {};
  for (const line of text.split("\n").map((each) => each.trim())) {
    if (!line) continue;
    const [, removed, key, value] = /^(?:([^=\s]+)-|([^=\s]+)=(.*))$/.exec(line) ?? [];
    if (removed) found[removed] = null;
    else if (key && value !== undefined) found[key] = value;
    else return undefined;
  }
  return found;
}

const changesOf = ({ changes = "" }: Values) => parseChanges(changes) ?? {};

function patch(object: KubeObject, part: Part, values: Record<string, string | null>) {
  const body = { metadata: { [part]: values } };
  return { method: "PATCH", path: objectPath(object), body, contentType: MERGE_PATCH } as const;
}

function changing(part: Part, id: string, title: string, explain: string): ActionSpec {
  return {
    id,
    title,
    applies: () => true,
    access: patching(),
    explain: () => explain,
    fields: () => [
      {
        name: "changes",
        label: "Changes",
        kind: "lines",
        value: "",
        hint: "One on a line: key=value sets, key- removes.",
      },
    ],
    problem: ({ changes = "" }) => {
      const found = parseChanges(changes);
      if (!found) return "Each line is key=value or key-.";
      return Object.keys(found).length > 0 ? "" : "Nothing is changed yet.";
    },
    command: (target, values) => kubectl[part === "labels" ? "label" : "annotate"](target, changesOf(values)),
    request: (object, values) => patch(object, part, changesOf(values)),
    undo: (before, values) => {
      const former = before.metadata[part] ?? {};
      const keys = Object.keys(changesOf(values));
      return patch(before, part, Object.fromEntries(keys.map((key) => [key, former[key] ?? null])));
    },
    done: () => `has other ${part}`,
  };
}

/** Set and remove labels. */
export const label = changing(
  "labels",
  "label",
  "Label",
  "Selectors choose by labels: a pod that no longer matches leaves its Service and its controller.",
);

/** Set and remove annotations. */
export const annotate = changing(
  "annotations",
  "annotate",
  "Annotate",
  "Annotations are notes; nothing selects by them.",
);
