import { resourceInfo } from "./resources";
import type { ResourceRef } from "../live/protocol";

/** Which object a command is about; `namespace` is empty for what belongs to the cluster. */
export interface Target {
  resource: ResourceRef;
  namespace: string;
  name: string;
}

/** A word as a POSIX shell reads it literally. */
export function quote(word: string): string {
  if (word !== "" && /^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function line(...words: (string | readonly string[] | false | undefined)[]): string {
  const flat = words.flat().filter((word): word is string => typeof word === "string");
  return ["kubectl", ...flat.map(quote)].join(" ");
}

const within = (target: { namespace: string }) => (target.namespace ? ["-n", target.namespace] : []);

/** The resource as a person types it: `deployment`, or with its group where the name alone is ambiguous. */
export function typed(resource: ResourceRef): string {
  const known = resourceInfo(resource);
  const builtIn = resource.group === "" || /^[a-z]+$|\.k8s\.io$/.test(resource.group);
  if (!builtIn) return `${resource.plural}.${resource.group}`;
  return known.kind === known.plural ? known.plural : known.kind.toLowerCase();
}

const one = (target: Target) => `${typed(target.resource)}/${target.name}`;

/** The commands that do what the actions do. */
export const kubectl = {
  get: (target: Target) => line("get", one(target), within(target), "-o", "yaml"),
  list: (resource: ResourceRef, namespace: string, labels: string) =>
    line(
      "get",
      resource.plural,
      namespace ? ["-n", namespace] : resourceInfo(resource).namespaced && "-A",
      labels ? ["-l", labels] : false,
    ),
  describe: (target: Target) => line("describe", one(target), within(target)),
  events: (target: Target) => line("events", within(target), "--for", one(target)),
  edit: (target: Target) => line("edit", one(target), within(target)),
  apply: (file = "FILE.yaml", dryRun = false) =>
    line("apply", "--server-side", dryRun && "--dry-run=server", "-f", file),
  create: (file = "FILE.yaml", dryRun = false) => line("create", dryRun && "--dry-run=server", "-f", file),
  replace: (file = "FILE.yaml") => line("replace", "-f", file),
  scale: (target: Target, replicas: number) =>
    line("scale", one(target), within(target), `--replicas=${replicas}`),
  restart: (target: Target) => line("rollout", "restart", one(target), within(target)),
  undo: (target: Target, revision: number) =>
    line("rollout", "undo", one(target), within(target), revision ? `--to-revision=${revision}` : false),
  pause: (target: Target) => line("rollout", "pause", one(target), within(target)),
  resume: (target: Target) => line("rollout", "resume", one(target), within(target)),
  rolloutStatus: (target: Target) => line("rollout", "status", one(target), within(target)),
  setImage: (target: Target, images: Record<string, string>) =>
    line(
      "set",
      "image",
      one(target),
      within(target),
      Object.entries(images).map(([name, image]) => `${name}=${image}`),
    ),
  suspend: (target: Target, suspended: boolean) =>
    line(
      "patch",
      one(target),
      within(target),
      "--type=merge",
      "-p",
      JSON.stringify({ spec: { suspend: suspended } }),
    ),
  trigger: (target: Target, job: string) =>
    line("create", "job", within(target), job, `--from=cronjob/${target.name}`),
  remove: (targets: readonly Target[], how: { propagation?: string; graceSeconds?: number } = {}) => {
    const [first] = targets;
    if (!first) return "kubectl delete";
    const { propagation = "background", graceSeconds } = how;
    const grace =
      graceSeconds === undefined
        ? []
        : [`--grace-period=${graceSeconds}`, ...(graceSeconds ? [] : ["--force"])];
    const cascade =
      propagation.toLowerCase() === "background" ? [] : [`--cascade=${propagation.toLowerCase()}`];
    return line(
      "delete",
      typed(first.resource),
      targets.map(({ name }) => name),
      within(first),
      cascade,
      grace,
    );
  },
  evict: (target: Target) => {
    const path = `/api/v1/namespaces/${target.namespace}/pods/${target.name}/eviction`;
    const metadata = { name: target.name, namespace: target.namespace };
    const body = JSON.stringify({ apiVersion: "policy/v1", kind: "Eviction", metadata });
    return `echo ${quote(body)} | ${line("create", "--raw", path, "-f", "-")}`;
  },
  label: (target: Target, labels: Record<string, string | null>) => changes("label", target, labels),
  annotate: (target: Target, annotations: Record<string, string | null>) =>
    changes("annotate", target, annotations),
  cordon: (node: string) => line("cordon", node),
  uncordon: (node: string) => line("uncordon", node),
  drain: (node: string) => line("drain", node, "--ignore-daemonsets", "--delete-emptydir-data"),
  logs: (target: Target, how: LogsOptions = {}) =>
    line(
      "logs",
      target.name,
      within(target),
      how.container ? ["-c", how.container] : "--all-containers",
      how.follow && "-f",
      how.previous && "-p",
      how.timestamps && "--timestamps",
      how.tail !== undefined && `--tail=${how.tail}`,
    ),
  exec: (target: Target, container: string, command: readonly string[]) =>
    line("exec", "-it", target.name, within(target), ["-c", container], "--", command),
  attach: (target: Target, container: string) =>
    line("attach", "-it", target.name, within(target), ["-c", container]),
  portForward: (target: Target, local: number, remote: number) =>
    line(
      "port-forward",
      one(target),
      within(target),
      local === remote ? String(remote) : `${local}:${remote}`,
    ),
  canI: (verb: string, resource: string, namespace: string) =>
    line("auth", "can-i", verb, resource, namespace ? ["-n", namespace] : false),
};

/** What `kubectl logs` is asked for. */
export interface LogsOptions {
  container?: string;
  follow?: boolean;
  previous?: boolean;
  timestamps?: boolean;
  tail?: number;
}

function changes(verb: string, target: Target, values: Record<string, string | null>): string {
  const words = Object.entries(values).map(([key, value]) =>
    value === null ? `${key}-` : `${key}=${value}`,
  );
  const replaces = Object.values(values).some((value) => value !== null);
  return line(verb, one(target), within(target), words, replaces && "--overwrite");
}
