import "./logs.css";
import { useMemo, useState } from "preact/hooks";
import { queryParameter, setQuery } from "../../app/router";
import { Button, CopyLine, Status } from "../../components";
import type { Pod, Workload } from "../../kube/kinds";
import { kubectl } from "../../kube/kubectl";
import { matches, selectorText } from "../../kube/selectors";
import { useObjects } from "../../live";
import type { TabProps } from "../body";
import { asText, matcher } from "./buffer";
import type { LogOptions, LogSource } from "./follower";
import { LogView } from "./log-view";
import { containersOf, sourcesOf } from "./sources";
import { type States, useLog } from "./use-log";

const PODS_MAX = 10;
const TAIL = 2000;

const container = queryParameter("container");

/** The logs of a pod, or of the pods of a workload. */
export default function LogsTab(props: TabProps) {
  if (props.object.kind === "Pod") return <Logs {...props} pods={[props.object as Pod]} />;
  return <WorkloadLogs {...props} />;
}

function WorkloadLogs(props: TabProps) {
  const { spec, metadata } = props.object as Workload;
  const resource = { group: "", version: "v1", plural: "pods" };
  const namespace = metadata.namespace ?? "";
  const view = useObjects({ resource, namespace, labels: selectorText(spec.selector), fields: "" }).value;
  const pods = ([...view.objects.values()] as Pod[])
    .filter((pod) => matches(spec.selector, pod.metadata.labels))
    .sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  return <Logs {...props} pods={pods.slice(0, PODS_MAX)} />;
}

function Logs({ resource, object, pods }: TabProps & { readonly pods: readonly Pod[] }) {
  const [search, setSearch] = useState("");
  const [timestamps, setTimestamps] = useState(false);
  const [previous, setPrevious] = useState(false);
  const [follow, setFollow] = useState(true);
  const names = containersOf(pods);
  const chosen = names.includes(container.value) ? container.value : "";
  const sources = sourcesOf(pods, chosen);
  const options: LogOptions = { previous, follow, tailLines: TAIL };
  const { lines, states } = useLog(sources, options);
  const matching = matcher(search);
  const shown = useMemo(
    () => (search === "" || matching === null ? lines : lines.filter(({ text }) => matching(text))),
    [lines, search],
  );
  const target = { resource, namespace: object.metadata.namespace ?? "", name: object.metadata.name };
  const download = () => save(`${object.metadata.name}.log`, asText(lines, true));
  return (
    <div class="log">
      <div class="log__bar">
        <select
          class="input"
          aria-label="Container"
          value={chosen}
          onChange={(event) => setQuery({ container: event.currentTarget.value })}
        >
          <option value="">All containers</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <input
          class={matching === null ? "input log__search log__search--wrong" : "input log__search"}
          type="search"
          placeholder="Search, or /expression/"
          aria-label="Search the log"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <Toggle title="Follow" value={follow} onChange={setFollow} />
        <Toggle title="Previous" value={previous} onChange={setPrevious} />
        <Toggle title="Timestamps" value={timestamps} onChange={setTimestamps} />
        <Button onClick={download}>Download</Button>
        <span class="log__state">
          {search !== "" && `${shown.length} of `}
          {lines.length} lines <StreamStates states={states} sources={sources} />
        </span>
      </div>
      <LogView
        lines={shown}
        timestamps={timestamps}
        search={search}
        empty={emptyText(states, previous, search)}
      />
      <div class="log__foot">
        <CopyLine
          text={kubectl.logs(target, {
            ...(chosen ? { container: chosen } : {}),
            follow,
            previous,
            timestamps,
          })}
        />
      </div>
    </div>
  );
}

interface ToggleProps {
  readonly title: string;
  readonly value: boolean;
  readonly onChange: (value: boolean) => void;
}

function Toggle({ title, value, onChange }: ToggleProps) {
  return (
    <label class="log__toggle">
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.currentTarget.checked)} />{" "}
      {title}
    </label>
  );
}

function StreamStates({
  states,
  sources,
}: {
  readonly states: States;
  readonly sources: readonly LogSource[];
}) {
  const all = sources.map(({ pod, container: name }) => states[`${pod}/${name}`]?.state ?? "connecting");
  if (all.some((state) => state === "reconnecting")) return <Status tone="change">reconnecting</Status>;
  if (all.some((state) => state === "connecting")) return <Status tone="change">connecting</Status>;
  if (all.every((state) => state === "ended")) return <Status tone="idle">whole</Status>;
  if (all.every((state) => state === "refused")) return <Status tone="trouble">not available</Status>;
  return <Status tone="ok">live</Status>;
}

function emptyText(states: States, previous: boolean, search: string): string {
  const why = Object.values(states).find((each) => each.why !== "")?.why;
  if (why) return why;
  if (search !== "") return "No line matches.";
  return previous ? "There is no earlier container, or it wrote nothing." : "Nothing has been written yet.";
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
