import { filled, type Rule } from "./rule";

const REASONS: Record<string, string> = {
  CrashLoopBackOff:
    "The container ended again and again. The kubelet restarts it after {kubelet.crash-loop-back-off-initial}, then after twice as long each time, up to {kubelet.crash-loop-back-off-max}; ten quiet minutes forget it.",
  ImagePullBackOff:
    "The image could not be pulled. The kubelet tries again after 10 s, then after twice as long each time, up to 5 minutes.",
  ErrImagePull:
    "The image could not be pulled: its name, its registry or the right to pull it is wrong. The kubelet tries again.",
  CreateContainerConfigError:
    "Something that the container's configuration names (a config map, a secret, a key in it) does not exist. The kubelet tries again until it does.",
  OOMKilled: "The container used more memory than its limit, so the kernel ended it (exit code 137).",
  Error:
    "The container's process ended with an exit code other than 0; above 128 it is 128 + the signal that ended it.",
  Completed: "The container's process ended with exit code 0.",
  Unschedulable:
    "No node passes all filters of the scheduler; the message counts the nodes by the filter that each failed.",
  ContainersNotReady:
    "A pod is Ready when all its containers are: those with a readiness probe when it succeeds, others when they run.",
  Terminating:
    "The object is being deleted. A pod's containers get SIGTERM, and SIGKILL after terminationGracePeriodSeconds; any object stays until its finalizers are done.",
  Evicted: "The kubelet ended the pod because its node ran short of memory, disk or processes.",
  Pending:
    "The pod is accepted, and not all its containers have started: it waits for a node, for an image or for a volume.",
  ProgressDeadlineExceeded:
    "The rollout made no progress for progressDeadlineSeconds. It is not undone by itself: roll back, or mend the template.",
  NewReplicaSetAvailable: "The newest replica set has all its pods available: the rollout is complete.",
  MinimumReplicasUnavailable: "Fewer pods are available than spec.replicas less maxUnavailable.",
  MinimumReplicasAvailable: "At least spec.replicas less maxUnavailable pods are available.",
  InsufficientPods:
    "As many pods are healthy as the budget asks for, or fewer: an eviction would break it, and is refused with 429.",
  SufficientPods: "More pods are healthy than the budget asks for: as many may be evicted.",
  NodeStatusUnknown:
    "The node's lease was not renewed for {controller-manager.node-monitor-grace-period}: nobody knows how it is.",
  KubeletReady: "The kubelet reports that it can run pods.",
  DeletionByTaintManager:
    "The node has a NoExecute taint that the pod does not tolerate (any longer): it is evicted, and its controller makes another one elsewhere.",
  TerminationByKubelet: "The kubelet ended the pod: its node ran short of something, or was shut down.",
};

/** What a reason or a status word of Kubernetes means; undefined for one without an entry. */
export function ruleOfReason(reason: string): Rule | undefined {
  const word = reason.replace(/^Init:/, "");
  const text = REASONS[word];
  return text === undefined ? undefined : filled(text);
}

const QOS: Record<string, string> = {
  Guaranteed:
    "Every container has memory and CPU limits equal to its requests: evicted last when the node runs short.",
  Burstable:
    "Some container has a request or a limit: evicted after BestEffort pods, those furthest above their requests first.",
  BestEffort: "No container has a request or a limit: evicted first when the node runs short.",
};

/** What a pod's quality-of-service class means. */
export function ruleOfQos(name: string): Rule | undefined {
  const text = QOS[name];
  return text === undefined ? undefined : { text, flags: [] };
}
