/** The exercise of docs/guide.md as data: what is done in each step, and where to look next. */

/** The steps' names, in order. */
export type StepId =
  | "workload"
  | "find-api-server"
  | "kill-api-server"
  | "api-server-back"
  | "cut-node"
  | "node-marked"
  | "pods-replaced"
  | "node-back";

/** One step. */
export interface Step {
  readonly id: StepId;
  readonly chapter: string;
  readonly title: string;
  /** What to type, and where; `NODE` and `ADDRESS` stand for a node of this cluster. */
  readonly commands: readonly string[];
  /** What to look at, and the page that shows it. */
  readonly look: string;
  readonly link: string;
}

const CHAPTERS = ["A test workload", "A Pod fails: the API server", "A node fails"] as const;

/** All steps. */
export const STEPS: readonly Step[] = [
  {
    id: "workload",
    chapter: CHAPTERS[0],
    title: "Launch an app of three replicas behind a Service",
    commands: [
      "kubectl apply -f examples/hello.yaml",
      "kubectl rollout status deployment/hello --timeout=60s",
    ],
    look: "The Deployment has 3 of 3 ready.",
    link: "/deployments/default/hello",
  },
  {
    id: "find-api-server",
    chapter: CHAPTERS[1],
    title: "Find the API server's Pods",
    commands: [],
    look: "Go to Workloads > Pods and type api: one Pod on each master.",
    link: "/pods?search=api",
  },
  {
    id: "kill-api-server",
    chapter: CHAPTERS[1],
    title: "Open one of their nodes, log in there and kill the containers",
    commands: [
      "ssh core@ADDRESS",
      "docker ps -f 'name=.*kube-apiserver.*' --format \"{{.ID}}\"",
      "docker kill ID ID",
    ],
    look: "The Pod's status says that it was terminated; this page stays live.",
    link: "/pods?search=api",
  },
  {
    id: "api-server-back",
    chapter: CHAPTERS[1],
    title: "The kubelet starts it again within seconds",
    commands: ["docker ps -f 'name=.*kube-apiserver.*' --format \"{{.ID}}\""],
    look: "RESTARTS has grown by one and the Pod is ready; the timeline shows the chain.",
    link: "/timeline",
  },
  {
    id: "cut-node",
    chapter: CHAPTERS[2],
    title: "On a worker, cut its way to the API and stop its services",
    commands: [
      "ssh core@ADDRESS",
      "iptables -A OUTPUT -p tcp --dport 443 -j DROP",
      "systemctl stop docker",
      "systemctl stop kubelet",
    ],
    look: "The node's page counts the seconds of its lease.",
    link: "/nodes/NODE",
  },
  {
    id: "node-marked",
    chapter: CHAPTERS[2],
    title: "The node is marked Unhealthy (NotReady)",
    commands: [],
    look: "Nothing else about workloads changes; its page counts down to the eviction of its pods.",
    link: "/nodes/NODE",
  },
  {
    id: "pods-replaced",
    chapter: CHAPTERS[2],
    title: "Its pods are replaced on other nodes",
    commands: [],
    look: "The app has all its replicas ready again, elsewhere.",
    link: "/pods?search=hello",
  },
  {
    id: "node-back",
    chapter: CHAPTERS[2],
    title: "Undo it",
    commands: [
      "iptables -D OUTPUT -p tcp --dport 443 -j DROP",
      "systemctl start docker",
      "systemctl start kubelet",
    ],
    look: "The node is Ready again within seconds, and no object is lost or doubled.",
    link: "/nodes",
  },
];
