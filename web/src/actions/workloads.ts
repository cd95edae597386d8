/** Actions on what runs pods: scale, restart, pause, set image, suspend, start. */
import { kubectl } from "../kube/kubectl";
import type { Container, PodTemplate } from "../kube/kinds";
import { at, listAt, numberAt, type KubeObject } from "../kube/object";
import { objectPath } from "../kube/resources";
import {
  type ActionSpec,
  type ApiRequest,
  isOneOf,
  MERGE_PATCH,
  patching,
  STRATEGIC_PATCH,
  type Values,
} from "./contract";

const RESTARTED_AT = "kubectl.kubernetes.io/restartedAt";
const scalable = isOneOf(
  "deployments.apps",
  "replicasets.apps",
  "statefulsets.apps",
  "replicationcontrollers",
);
const templated = isOneOf("deployments.apps", "statefulsets.apps", "daemonsets.apps");
const deployment = isOneOf("deployments.apps");
const suspendable = isOneOf("cronjobs.batch", "jobs.batch");

function merge(object: KubeObject, body: unknown, subresource = ""): ApiRequest {
  return { method: "PATCH", path: objectPath(object, subresource), body, contentType: MERGE_PATCH };
}

const replicasOf = (object: KubeObject) => numberAt(object, ["spec", "replicas"], 1);

/** Set the number of replicas. */
export const scale: ActionSpec = {
  id: "scale",
  title: "Scale",
  applies: scalable,
  access: patching("scale"),
  explain: () => "The controller creates pods until as many exist, or deletes the least useful ones.",
  fields: ([object]) => [
    { name: "replicas", label: "Replicas", kind: "number", value: String(object ? replicasOf(object) : 1) },
  ],
  problem: ({ replicas = "" }) => (/^\d+$/.test(replicas) ? "" : "A whole number from 0 on."),
  command: (target, { replicas }) => kubectl.scale(target, Number(replicas)),
  request: (object, { replicas }) => merge(object, { spec: { replicas: Number(replicas) } }, "scale"),
  undo: (before) => merge(before, { spec: { replicas: replicasOf(before) } }, "scale"),
  done: ({ replicas }) => `scaled to ${replicas}`,
};

function restartedAt(object: KubeObject, value: string | null): ApiRequest {
  const body = { spec: { template: { metadata: { annotations: { [RESTARTED_AT]: value } } } } };
  return { method: "PATCH", path: objectPath(object), body, contentType: STRATEGIC_PATCH };
}

/** Replace all pods, a few at a time. */
export const restart: ActionSpec = {
  id: "restart",
  title: "Restart",
  applies: templated,
  access: patching(),
  explain: () =>
    "The pod template gets a new annotation, so that a rolling update replaces all pods by its usual pace.",
  command: (target) => kubectl.restart(target),
  request: (object, { now = "" }) => restartedAt(object, now),
  undo: (before) => {
    const found = at(before, "spec", "template", "metadata", "annotations", RESTARTED_AT);
    return restartedAt(before, typeof found === "string" ? found : null);
  },
  done: () => "restarting",
};

const isPaused = (object: KubeObject) => at(object, "spec", "paused") === true;

/** Hold a Deployment's rollout. */
export const pause: ActionSpec = {
  id: "pause",
  title: "Pause rollout",
  applies: deployment,
  access: patching(),
  useful: (object) => !isPaused(object),
  explain: () =>
    "Changes of the pod template are not rolled out until the rollout is resumed. Scaling still works.",
  command: (target) => kubectl.pause(target),
  request: (object) => merge(object, { spec: { paused: true } }),
  undo: (before) => merge(before, { spec: { paused: isPaused(before) || null } }),
  done: () => "paused",
};

/** Let a Deployment's rollout go on. */
export const resume: ActionSpec = {
  id: "resume",
  title: "Resume rollout",
  applies: deployment,
  access: patching(),
  useful: isPaused,
  explain: () => "What changed in the pod template while the rollout was paused is rolled out now.",
  command: (target) => kubectl.resume(target),
  request: (object) => merge(object, { spec: { paused: null } }),
  undo: (before) => merge(before, { spec: { paused: isPaused(before) || null } }),
  done: () => "resumed",
};

const containersOf = (object: KubeObject) =>
  listAt<Container>(object, "spec", "template", "spec", "containers");

function images(values: Values): Record<string, string> {
  const found = Object.entries(values).filter(([name]) => name.startsWith("image:"));
  return Object.fromEntries(found.map(([name, image]) => [name.slice("image:".length), image]));
}

function withImages(object: KubeObject, wanted: Record<string, string>): ApiRequest {
  const containers = Object.entries(wanted).map(([name, image]) => ({ name, image }));
  const body = { spec: { template: { spec: { containers } } } };
  return { method: "PATCH", path: objectPath(object), body, contentType: STRATEGIC_PATCH };
}

/** Change the images of the pod template. */
export const setImage: ActionSpec = {
  id: "set-image",
  title: "Set image",
  single: true,
  applies: templated,
  access: patching(),
  explain: () => "A changed pod template is rolled out: new pods replace the old ones a few at a time.",
  fields: ([object]) =>
    (object ? containersOf(object) : []).map(({ name, image = "" }) => ({
      name: `image:${name}`,
      label: `Image of ${name}`,
      kind: "text",
      value: image,
    })),
  problem: (values) =>
    Object.values(images(values)).every((image) => image.trim()) ? "" : "An image has a name.",
  command: (target, values) => kubectl.setImage(target, images(values)),
  request: (object, values) => withImages(object, images(values)),
  undo: (before) =>
    withImages(before, Object.fromEntries(containersOf(before).map(({ name, image = "" }) => [name, image]))),
  done: (values) => `now runs ${Object.values(images(values)).join(", ")}`,
};

const isSuspended = (object: KubeObject) => at(object, "spec", "suspend") === true;

function suspending(suspended: boolean): ActionSpec {
  return {
    id: suspended ? "suspend" : "unsuspend",
    title: suspended ? "Suspend" : "Resume",
    applies: suspendable,
    access: patching(),
    useful: (object) => isSuspended(object) !== suspended,
    explain: () =>
      suspended
        ? "A suspended cron job starts no further jobs; a suspended job ends its pods until it is resumed."
        : "Jobs are started (or pods of the job run) again.",
    command: (target) => kubectl.suspend(target, suspended),
    request: (object) => merge(object, { spec: { suspend: suspended } }),
    undo: (before) => merge(before, { spec: { suspend: isSuspended(before) } }),
    done: () => (suspended ? "suspended" : "resumed"),
  };
}

/** Hold a job or cron job. */
export const suspend = suspending(true);

/** Let a job or cron job go on. */
export const unsuspend = suspending(false);

/** Start a cron job's job now. */
export const trigger: ActionSpec = {
  id: "trigger",
  title: "Start a job now",
  single: true,
  applies: isOneOf("cronjobs.batch"),
  access: (_, namespace) => ({ verb: "create", group: "batch", resource: "jobs", namespace }),
  explain: () => "A job is made from the cron job's template, beside those of its schedule.",
  fields: ([object]) => [
    {
      name: "job",
      label: "Name of the job",
      kind: "text",
      value: `${object?.metadata.name ?? "job"}-manual`,
    },
  ],
  command: (target, { job = "" }) => kubectl.trigger(target, job),
  request: (object, { job = "" }) => {
    const { namespace = "", name, uid } = object.metadata;
    const template = at(object, "spec", "jobTemplate") as PodTemplate | undefined;
    const owner = { apiVersion: "batch/v1", kind: "CronJob", name, uid, controller: true };
    const annotations = { ...template?.metadata?.annotations, "cronjob.kubernetes.io/instantiate": "manual" };
    const metadata = { ...template?.metadata, name: job, namespace, annotations, ownerReferences: [owner] };
    const body = { apiVersion: "batch/v1", kind: "Job", metadata, spec: template?.spec };
    return { method: "POST", path: `/apis/batch/v1/namespaces/${namespace}/jobs`, body };
  },
  done: ({ job }) => `started ${job}`,
};
