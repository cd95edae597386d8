/** Forms for the usual kinds: what is filled in, as an object, as a kubectl line, and back from an object. */
import { quote } from "../kube/kubectl";
import { decoded, encoded } from "../kube/data";
import type { Plain } from "../objects/yaml/plain";
import { listAt, mapAt, numberAt, textAt } from "../kube/object";
import { pairs, unpairs, unwords, words } from "./form-text";

/** What a person filled in, by the field's name. */
export type FormValues = Readonly<Record<string, string>>;

/** One field of a form. */
export interface FormField {
  readonly name: string;
  readonly label: string;
  readonly kind: "text" | "number" | "lines" | "choice";
  readonly hint?: string;
  readonly choices?: readonly string[];
}

/** A form for one kind. Everything in it is pure. */
export interface Form {
  readonly kind: string;
  readonly empty: FormValues;
  readonly fields: readonly FormField[];
  readonly toObject: (values: FormValues) => Plain;
  readonly fromObject: (object: unknown) => FormValues;
  /** The kubectl command that makes the same object; "" where none does. */
  readonly command: (values: FormValues) => string;
}

const NAME: FormField = { name: "name", label: "Name", kind: "text" };
const NAMESPACE: FormField = { name: "namespace", label: "Namespace", kind: "text" };

const meta = (values: FormValues, labels?: Plain) => ({
  name: values.name ?? "",
  ...(values.namespace ? { namespace: values.namespace } : {}),
  ...(labels ? { labels } : {}),
});

const named = (object: unknown) => ({
  name: textAt(object, "metadata", "name"),
  namespace: textAt(object, "metadata", "namespace"),
});

const within = ({ namespace }: FormValues) => (namespace ? ` -n ${quote(namespace)}` : "");

function container(values: FormValues): Plain {
  const command = words(values.command ?? "");
  const env = Object.entries(pairs(values.env ?? "")).map(([name, value]) => ({ name, value }));
  return {
    name: values.name || "app",
    image: values.image ?? "",
    ...(command.length > 0 ? { command } : {}),
    ...(values.port ? { ports: [{ containerPort: Number(values.port) }] } : {}),
    ...(env.length > 0 ? { env } : {}),
  };
}

function containerValues(object: unknown): FormValues {
  const first = listAt(object, "spec", "template", "spec", "containers")[0];
  const env = listAt<{ name: string; value?: string }>(first, "env").map(({ name, value = "" }) => [
    name,
    value,
  ]);
  return {
    image: textAt(first, "image"),
    command: unwords(listAt<string>(first, "command")),
    port: textAt(first, "ports", 0, "containerPort"),
    env: unpairs(Object.fromEntries(env) as Record<string, string>),
  };
}

const CONTAINER: readonly FormField[] = [
  { name: "image", label: "Image", kind: "text" },
  { name: "command", label: "Command", kind: "text", hint: "Empty: the image's own." },
];
const ENV: FormField = {
  name: "env",
  label: "Environment",
  kind: "lines",
  hint: "One on a line: NAME=value.",
};

const deployment: Form = {
  kind: "Deployment",
  empty: { name: "", namespace: "default", image: "", replicas: "1", port: "", command: "", env: "" },
  fields: [
    NAME,
    NAMESPACE,
    ...CONTAINER,
    { name: "replicas", label: "Replicas", kind: "number" },
    { name: "port", label: "Port", kind: "number", hint: "That the container listens on; may be empty." },
    ENV,
  ],
  toObject: (values) => {
    const labels = { app: values.name ?? "" };
    return {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: meta(values, labels),
      spec: {
        replicas: Number(values.replicas || 1),
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container(values)] } },
      },
    };
  },
  fromObject: (object) => ({
    ...named(object),
    ...containerValues(object),
    replicas: String(numberAt(object, ["spec", "replicas"], 1)),
  }),
  command: (values) => {
    if (values.env) return "";
    const port = values.port ? ` --port=${values.port}` : "";
    const command = values.command ? ` -- ${unwords(words(values.command))}` : "";
    const image = quote(values.image || "IMAGE");
    return `kubectl create deployment ${quote(values.name || "NAME")}${within(values)} --image=${image} --replicas=${values.replicas || "1"}${port}${command}`;
  },
};

const job: Form = {
  kind: "Job",
  empty: { name: "", namespace: "default", image: "", command: "", env: "", retries: "6" },
  fields: [NAME, NAMESPACE, ...CONTAINER, { name: "retries", label: "Retries", kind: "number" }, ENV],
  toObject: (values) => ({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: meta(values),
    spec: {
      ...(values.retries && values.retries !== "6" ? { backoffLimit: Number(values.retries) } : {}),
      template: { spec: { restartPolicy: "Never", containers: [container(values)] } },
    },
  }),
  fromObject: (object) => ({
    ...named(object),
    ...containerValues(object),
    retries: String(numberAt(object, ["spec", "backoffLimit"], 6)),
  }),
  command: (values) => {
    if (values.env || (values.retries && values.retries !== "6")) return "";
    const command = values.command ? ` -- ${unwords(words(values.command))}` : "";
    return `kubectl create job ${quote(values.name || "NAME")}${within(values)} --image=${quote(values.image || "IMAGE")}${command}`;
  },
};

const TYPES = ["ClusterIP", "NodePort", "LoadBalancer"];

const service: Form = {
  kind: "Service",
  empty: { name: "", namespace: "default", type: "ClusterIP", port: "80", targetPort: "", selector: "" },
  fields: [
    NAME,
    NAMESPACE,
    { name: "type", label: "Type", kind: "choice", choices: TYPES },
    { name: "port", label: "Port", kind: "number" },
    {
      name: "targetPort",
      label: "Port of the pods",
      kind: "text",
      hint: "A number or a name; empty: the same.",
    },
    {
      name: "selector",
      label: "Selector",
      kind: "lines",
      hint: "Labels of its pods, one on a line: key=value.",
    },
  ],
  toObject: (values) => {
    const target = values.targetPort ?? "";
    const targetPort = target ? { targetPort: /^\d+$/.test(target) ? Number(target) : target } : {};
    return {
      apiVersion: "v1",
      kind: "Service",
      metadata: meta(values),
      spec: {
        type: values.type ?? "ClusterIP",
        selector: pairs(values.selector ?? ""),
        ports: [{ port: Number(values.port || 80), protocol: "TCP", ...targetPort }],
      },
    };
  },
  fromObject: (object) => ({
    ...named(object),
    type: textAt(object, "spec", "type") || "ClusterIP",
    port: textAt(object, "spec", "ports", 0, "port"),
    targetPort: textAt(object, "spec", "ports", 0, "targetPort"),
    selector: unpairs(mapAt(object, "spec", "selector")),
  }),
  command: (values) => {
    const selector = pairs(values.selector ?? "");
    // kubectl's own line selects by app=NAME.
    if (Object.keys(selector).length !== 1 || selector.app !== values.name) return "";
    const tcp = values.targetPort ? `${values.port ?? ""}:${values.targetPort}` : (values.port ?? "");
    const type = (values.type ?? "ClusterIP").toLowerCase();
    return `kubectl create service ${type} ${quote(values.name || "NAME")}${within(values)} --tcp=${quote(tcp)}`;
  },
};

function literals(values: FormValues): string {
  return Object.entries(pairs(values.data ?? ""))
    .map(([key, value]) => ` --from-literal=${quote(`${key}=${value}`)}`)
    .join("");
}

const DATA: FormField = {
  name: "data",
  label: "Data",
  kind: "lines",
  hint: "One on a line: key=value, with \\n for a line end.",
};

const configMap: Form = {
  kind: "ConfigMap",
  empty: { name: "", namespace: "default", data: "" },
  fields: [NAME, NAMESPACE, DATA],
  toObject: (values) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: meta(values),
    data: pairs(values.data ?? ""),
  }),
  fromObject: (object) => ({ ...named(object), data: unpairs(mapAt(object, "data")) }),
  command: (values) =>
    `kubectl create configmap ${quote(values.name || "NAME")}${within(values)}${literals(values)}`,
};

const secret: Form = {
  kind: "Secret",
  empty: { name: "", namespace: "default", data: "" },
  fields: [NAME, NAMESPACE, { ...DATA, hint: "One on a line: key=value; encoded for you." }],
  toObject: (values) => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: meta(values),
    type: "Opaque",
    data: Object.fromEntries(
      Object.entries(pairs(values.data ?? "")).map(([key, value]) => [key, encoded(value)]),
    ),
  }),
  fromObject: (object) => {
    const data = Object.entries(mapAt(object, "data")).map(([key, value]) => [key, safelyDecoded(value)]);
    const all = { ...(Object.fromEntries(data) as Record<string, string>), ...mapAt(object, "stringData") };
    return { ...named(object), data: unpairs(all) };
  },
  command: (values) =>
    `kubectl create secret generic ${quote(values.name || "NAME")}${within(values)}${literals(values)}`,
};

function safelyDecoded(value: string): string {
  try {
    return decoded(value);
  } catch {
    return value;
  }
}

/** The forms that there are. */
export const FORMS: readonly Form[] = [deployment, job, service, configMap, secret];

/** The form of a kind; undefined where there is none. */
export function formOf(kind: string): Form | undefined {
  return FORMS.find((form) => form.kind === kind);
}
