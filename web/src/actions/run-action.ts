import { toast } from "../components/toasts";
import type { Resource } from "../kube/resources";
import type { KubeObject, KubeStatus } from "../live/protocol";
import type { ActionSpec, ApiRequest, Values } from "./contract";
import { send, statusOfError } from "./perform";

/** What became of an action on one object; `failure` is null where it was done. */
export interface Outcome {
  readonly object: KubeObject;
  readonly failure: KubeStatus | null;
}

async function tried(object: KubeObject, request: ApiRequest): Promise<Outcome> {
  try {
    await send(request);
    return { object, failure: null };
  } catch (error) {
    return { object, failure: statusOfError(error) };
  }
}

async function undo(requests: readonly ApiRequest[], what: string): Promise<void> {
  for (const request of requests) {
    try {
      await send(request);
    } catch (error) {
      toast(`${what} could not be undone: ${statusOfError(error).message ?? ""}`, "trouble");
      return;
    }
  }
  toast(`${what}: undone`);
}

/** Does an action on each object, says so, and offers to undo it where all of it can be. */
export async function runAction(
  spec: ActionSpec,
  resource: Resource,
  objects: readonly KubeObject[],
  values: Values,
  related: readonly KubeObject[] = [],
): Promise<readonly Outcome[]> {
  const given = { ...values, now: new Date().toISOString() };
  const outcomes: Outcome[] = [];
  for (const object of objects) outcomes.push(await tried(object, spec.request(object, given, related)));
  const done = outcomes.filter(({ failure }) => failure === null).map(({ object }) => object);
  const [first] = done;
  if (!first) return outcomes;
  const what =
    done.length === 1 ? `${first.kind ?? ""} ${first.metadata.name}` : `${done.length} ${resource.plural}`;
  const back = done.flatMap((object) => spec.undo?.(object, given) ?? []);
  const canUndo = back.length === done.length;
  const action = canUndo ? { title: "Undo", run: () => void undo(back, what) } : null;
  toast(`${what} ${spec.done(given)}`, "ok", action);
  return outcomes;
}
