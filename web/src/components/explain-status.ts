/** Puts Kubernetes' refusals into words that say what happened, why, and what to do. Pure. */
import type { KubeStatus } from "../live/protocol";

/** A refusal, explained. */
export interface Explanation {
  readonly title: string;
  /** Kubernetes' own message, or what stands for it. */
  readonly message: string;
  /** What a person can do; empty when nothing helps. */
  readonly advice: string;
  /** What is wrong field by field. */
  readonly causes: readonly { readonly field: string; readonly message: string }[];
}

interface Denied {
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly group: string;
  readonly place: string;
}

const deniedText =
  /User "([^"]*)" cannot (\S+) resource "([^"]*)" in API group "([^"]*)"(?: in the namespace "([^"]*)"| at the cluster scope)?/;

/** What a 403's message says: who may not do what; null when it says something else. */
export function deniedOf(message: string): Denied | null {
  const found = deniedText.exec(message);
  if (found === null) return null;
  const [, user = "", verb = "", resource = "", group = "", namespace] = found;
  const place = namespace === undefined ? "in the whole cluster" : `in the namespace ${namespace}`;
  return { user, verb, resource, group, place };
}

/** A Kubernetes Status in words. */
export function explainStatus(status: KubeStatus): Explanation {
  const message = status.message ?? "";
  const causes = (status.details?.causes ?? []).map((cause) => ({
    field: cause.field ?? "",
    message: cause.message ?? cause.reason ?? "",
  }));
  const explanation = (title: string, advice = ""): Explanation => ({ title, message, advice, causes });
  switch (status.code) {
    case 0:
      return explanation("No answer", "The page tries again by itself.");
    case 401:
      return explanation("Signed out", "Sign in again: your session has ended.");
    case 403:
      return forbidden(message, explanation);
    case 404:
      return explanation("Not found", "It may have been deleted, or its name or namespace is another.");
    case 409:
      if (status.reason === "AlreadyExists") return explanation("The name is taken", "Choose another name.");
      return explanation(
        "Somebody changed it in the meantime",
        "Nothing of theirs was overwritten: look at both sides, then apply yours again.",
      );
    case 410:
      return explanation("Too old to continue", "The page asks anew by itself.");
    case 422:
      return explanation("Not valid", causes.length === 0 ? "" : "Mend these fields:");
    case 429:
      return explanation(
        "Not now",
        "What protects the cluster (a disruption budget, or a limit) asks to wait and try again.",
      );
    case 503:
    case 504:
      return explanation(
        "The cluster does not answer",
        "What was known stays shown; the page tries again by itself.",
      );
    default:
      return explanation(
        status.reason === undefined || status.reason === "" ? "That did not work" : status.reason,
      );
  }
}

function forbidden(
  message: string,
  explanation: (title: string, advice?: string) => Explanation,
): Explanation {
  const denied = deniedOf(message);
  if (denied === null) return explanation("Not allowed");
  const { user, verb, resource, group, place } = denied;
  const what = group === "" ? resource : `${resource}.${group}`;
  return explanation(
    `You may not ${verb} ${what} ${place}`,
    `${user} lacks the verb "${verb}" on "${what}". Whoever may create role bindings ${place} can grant it, with a ` +
      "Role (or ClusterRole) that allows it and a binding that names you.",
  );
}
