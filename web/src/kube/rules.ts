import type { Write } from "./chain";
import { filled, type Rule } from "./rule";

interface Entry {
  loop: RegExp;
  kind?: string;
  note?: RegExp;
  text: string;
}

// The first that matches counts: what is special stands before what is general. `{component.flag}` is the flag's value.
const RULES: readonly Entry[] = [
  {
    loop: /deployment$/,
    kind: "ReplicaSet",
    note: /new template/,
    text: "A changed pod template gets a replica set of its own; the old one is scaled down as the new one becomes available (maxSurge and maxUnavailable set the pace).",
  },
  {
    loop: /deployment$/,
    kind: "ReplicaSet",
    note: /rollout/,
    text: "A rolling update scales the new replica set up by at most maxSurge above the wanted count, and old ones down so that at most maxUnavailable are missing.",
  },
  {
    loop: /deployment$/,
    note: /revisionHistoryLimit/,
    text: "Old replica sets beyond revisionHistoryLimit are deleted, oldest first; what is kept can be rolled back to.",
  },
  {
    loop: /deployment$/,
    text: "A Deployment's status counts the pods of its replica sets: updated, ready, and available once they were ready for minReadySeconds.",
  },
  {
    loop: /replicaset$/,
    kind: "Pod",
    text: "A replica set creates pods while fewer than spec.replicas exist and deletes the least useful ones while there are more. A pod that is being deleted no longer counts.",
  },
  {
    loop: /replicaset$/,
    text: "A replica set's status counts the pods that match its selector and are not being deleted.",
  },
  {
    loop: /daemonset$/,
    kind: "Pod",
    text: "A daemon set keeps one pod on each node that its node selector, affinity and tolerations allow.",
  },
  {
    loop: /daemonset$/,
    text: "A daemon set's status counts the nodes that should run its pod, and those that do.",
  },
  {
    loop: /statefulset$/,
    text: "A stateful set keeps pods with fixed names, one after the other; a pod on an unreachable node is not replaced until it is gone for certain.",
  },
  {
    loop: /job$/,
    text: "A job runs pods until enough have succeeded (completions), and retries failures up to backoffLimit.",
  },
  { loop: /cronjob/, text: "A cron job creates a job at each time of its schedule." },
  {
    loop: /endpointslicemirroring$/,
    text: "Endpoints that a person wrote are mirrored as slices, which is what proxies read.",
  },
  {
    loop: /endpoint(slice|s)$/,
    note: /^ready: .*-|conditions/,
    text: "A pod that is not Ready, or is being deleted, is no ready endpoint: no new connection of the Service goes to it.",
  },
  {
    loop: /endpoint(slice|s)$/,
    text: "The pods that match a Service's selector are its endpoints; only those that are Ready get connections.",
  },
  {
    loop: /node-lifecycle$/,
    note: /silent/,
    text: "A node whose lease was not renewed for {controller-manager.node-monitor-grace-period} is marked Unknown; its lease is due four times in {kubelet.node-lease-duration-seconds} s, and looked at every {controller-manager.node-monitor-period}.",
  },
  {
    loop: /node-lifecycle$/,
    text: "A node that is not ready is tainted NoExecute, at most {controller-manager.node-eviction-rate} nodes a second, and more slowly or not at all where {controller-manager.unhealthy-zone-threshold} of a zone are not ready.",
  },
  {
    loop: /node-taints$/,
    text: "A node's NoSchedule taints follow its conditions: new pods stay away from a node that is not ready or under pressure.",
  },
  {
    loop: /node-pods$/,
    text: "Pods on a node that does not report are set to not ready at once, so that Services leave them out; they are evicted only later.",
  },
  {
    loop: /taint-eviction$/,
    text: "A NoExecute taint evicts pods that do not tolerate it. Pods without a toleration of their own tolerate a node that is unreachable for {apiserver.default-unreachable-toleration-seconds} s.",
  },
  {
    loop: /pod-garbage-collector$/,
    text: "Pods of nodes that no longer exist are deleted, and terminated pods beyond {controller-manager.terminated-pod-gc-threshold}.",
  },
  {
    loop: /garbage-collector$/,
    text: "An object is deleted once all owners in its ownerReferences are gone; with foreground deletion the owner waits for its dependents.",
  },
  {
    loop: /\/namespace$/,
    text: "A namespace that is being deleted is emptied of everything in it, and goes when nothing is left.",
  },
  {
    loop: /serviceaccount$/,
    text: "Every namespace has a service account `default`, which pods without one of their own run as.",
  },
  {
    loop: /root-ca-certificate-publisher$/,
    text: "Every namespace has the cluster's CA certificate in the config map kube-root-ca.crt, for pods to verify the API server with.",
  },
  {
    loop: /disruption$/,
    text: "A disruption budget allows as many evictions as leave enough healthy pods (minAvailable, or all but maxUnavailable). Deleting a pod directly is not held up by it.",
  },
  { loop: /node-ipam$/, text: "Each node gets a range of its own that its pods have addresses from." },
  { loop: /service-lb$/, text: "A Service of type LoadBalancer gets an address of the pool." },
  {
    loop: /csrapproving$/,
    text: "A certificate request is approved automatically only when a node asks for what is its own.",
  },
  { loop: /csrsigning$/, text: "An approved certificate request is signed by the cluster's authority." },
  {
    loop: /csrcleaner$/,
    text: "Old certificate requests are deleted: signed ones after an hour, others after a day.",
  },
  { loop: /tokencleaner$/, text: "A bootstrap token is deleted when its time is over." },
  {
    loop: /bootstrapsigner$/,
    text: "The config map cluster-info is signed with each bootstrap token, so that a machine that joins can trust it.",
  },
  {
    loop: /horizontal|hpa/,
    text: "An autoscaler sets the replicas to the current count times the measured metric over its target, within its bounds.",
  },
  {
    loop: /^scheduler$|default-scheduler/,
    note: /^fits/,
    text: "The scheduler binds a pod to the best of the nodes that pass every filter: resources, taints, selectors, affinity.",
  },
  {
    loop: /^scheduler$|default-scheduler/,
    text: "A pod that fits on no node stays Pending; the scheduler tries again when something changes that might help, with a back-off of {scheduler.pod-initial-backoff-seconds} to {scheduler.pod-max-backoff-seconds} s.",
  },
  {
    loop: /election$/,
    text: "Of several instances one leads: who holds the lease. Others take it when it was not renewed for {controller-manager.leader-elect-lease-duration}.",
  },
  {
    loop: /^kubelet/,
    kind: "Pod",
    note: /ImagePullBackOff|ErrImagePull/,
    text: "An image that cannot be pulled is tried again after 10 s, then after twice as long each time, up to 5 minutes.",
  },
  {
    loop: /^kubelet/,
    kind: "Pod",
    note: /CrashLoopBackOff/,
    text: "A container that ends again and again is restarted after {kubelet.crash-loop-back-off-initial}, then after twice as long each time, up to {kubelet.crash-loop-back-off-max}; ten quiet minutes forget it.",
  },
  {
    loop: /^kubelet/,
    kind: "Pod",
    note: /liveness|startup probe fail/,
    text: "A container whose liveness or startup probe fails failureThreshold times in a row is killed, and restarted by its restartPolicy.",
  },
  {
    loop: /^kubelet/,
    kind: "Pod",
    note: /readiness/,
    text: "A readiness probe decides whether Services send connections to a pod; it never restarts anything.",
  },
  {
    loop: /^kubelet/,
    kind: "Pod",
    note: /started/,
    text: "The kubelet starts the containers of the pods bound to its node, and restarts those that end by the pod's restartPolicy: the first time at once, then with a back-off.",
  },
  {
    loop: /^kubelet/,
    kind: "Pod",
    note: /exit|ended|terminated|killed/i,
    text: "A container's end is reported with its exit code; 128 + N means that signal N ended it (137: SIGKILL, 143: SIGTERM).",
  },
  {
    loop: /^kubelet/,
    kind: "Pod",
    note: /mirror/,
    text: "A static pod is a file on its node that the kubelet runs by itself; the API shows a mirror of it, and deleting the mirror does not stop it.",
  },
  {
    loop: /^kubelet/,
    kind: "Pod",
    note: /containers have stopped/,
    text: "A deleted pod is removed from the API when its node has stopped all containers, after terminationGracePeriodSeconds at most.",
  },
  {
    loop: /^kubelet/,
    kind: "Pod",
    text: "Only the kubelet of its node writes a pod's status: what it last saw of the containers and their probes.",
  },
  {
    loop: /^kubelet/,
    kind: "Lease",
    text: "A node shows that it is alive by renewing its lease, four times in {kubelet.node-lease-duration-seconds} s.",
  },
  {
    loop: /^kubelet/,
    kind: "Node",
    text: "A kubelet writes its node's status when it changed (looked at every {kubelet.node-status-update-frequency}), and every {kubelet.node-status-report-frequency} otherwise.",
  },
  {
    loop: /^(user\/)?system:apiserver/,
    text: "The API server itself creates what every cluster has: system namespaces, roles, and the Service `kubernetes` with the ready API servers as its endpoints.",
  },
  { loop: /^apiserver\/events/, text: "Events are deleted after {apiserver.event-ttl}." },
  {
    loop: /^user\//,
    text: "A person (or a program with its own account) asked for this; the loops react to it.",
  },
];

/** The rule behind a loop's write; undefined for a loop without one here. */
export function ruleOf(loop: string, kind = "", note = ""): Rule | undefined {
  const found = RULES.find(
    (rule) =>
      rule.loop.test(loop) &&
      (rule.kind === undefined || rule.kind === kind) &&
      (rule.note?.test(note) ?? true),
  );
  return found && filled(found.text);
}

/** The rule behind a recorded write. */
export function ruleOfWrite(write: Write): Rule | undefined {
  return ruleOf(write.cause?.loop ?? "", write.kind, write.cause?.note ?? write.summary ?? "");
}
