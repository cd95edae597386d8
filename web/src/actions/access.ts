/** Whether the user may do something, and what to say when not. */
import { request } from "../live/api";
import { quote } from "../kube/kubectl";

/** What a request needs the right to. `resource` is a plural; `namespace` is empty for what belongs to the cluster. */
export interface Access {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace: string;
  readonly name?: string;
}

/** The resource as RBAC rules name it: `deployments/scale`. */
export function ruleResource(access: Access): string {
  return access.subresource ? `${access.resource}/${access.subresource}` : access.resource;
}

/** Which permission is missing, in a sentence, and the commands by which somebody who may grant it can. */
export interface Refusal {
  readonly text: string;
  readonly grant: readonly string[];
}

/** Explains that the user lacks a right. */
export function refusal(access: Access, user: string): Refusal {
  const resource = ruleResource(access);
  const where = access.namespace ? `in the namespace ${access.namespace}` : "in the cluster";
  const group = access.group ? ` of the group ${access.group}` : "";
  const who = user || "You";
  const granter = access.namespace
    ? `Somebody who may write role bindings in ${access.namespace}, such as a cluster administrator, can grant it:`
    : "A cluster administrator can grant it:";
  const typed = access.group ? `${access.resource}.${access.group}` : access.resource;
  const full = access.subresource ? `${typed}/${access.subresource}` : typed;
  const role = `${access.verb}-${resource.replaceAll("/", "-")}`;
  const kind = access.namespace ? "role" : "clusterrole";
  const within = access.namespace ? ` -n ${quote(access.namespace)}` : "";
  const binding = access.namespace ? "rolebinding" : "clusterrolebinding";
  return {
    text: `${who} may not ${access.verb} ${resource}${group} ${where}. ${granter}`,
    grant: [
      `kubectl create ${kind} ${role}${within} --verb=${quote(access.verb)} --resource=${quote(full)}`,
      `kubectl create ${binding} ${role}${within} --${kind}=${role} --${granteeFlag(user)}`,
    ],
  };
}

function granteeFlag(user: string): string {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  return namespace && name
    ? `serviceaccount=${quote(`${namespace}:${name}`)}`
    : `user=${quote(user || "USER")}`;
}

const ANSWER_SECONDS = 15;
const answers = new Map<string, { at: number; allowed: Promise<boolean> }>();

/** Asks the cluster whether the user may; an answer counts for 15 seconds. Throws ApiStatus when it cannot be asked. */
export function mayI(access: Access): Promise<boolean> {
  const key = JSON.stringify(access);
  const known = answers.get(key);
  const now = performance.now() / 1000;
  if (known && now - known.at < ANSWER_SECONDS) return known.allowed;
  const allowed = ask(access).catch((error: unknown) => {
    answers.delete(key);
    throw error;
  });
  answers.set(key, { at: now, allowed });
  return allowed;
}

async function ask(access: Access): Promise<boolean> {
  const body = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes: access },
  };
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const answer = await request<{ status?: { allowed?: boolean } }>("POST", path, body);
  return answer.status?.allowed === true;
}
