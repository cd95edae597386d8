import { Age, CopyLine, Empty, Status } from "../../components";
import { eventCount, eventSource, eventTime, newestFirst } from "../../kube/events";
import { flagValue } from "../../kube/flags";
import { kubectl } from "../../kube/kubectl";
import type { KubeEvent } from "../../kube/kinds";
import { secondsOf } from "../../kube/object";
import { ruleOfReason } from "../../kube/reasons";
import { useObjects } from "../../live";
import type { TabProps } from "../body";
import { Grid, RuleHint } from "../parts";

/** The events of an object, newest first. */
export default function EventsTab({ resource, object }: TabProps) {
  const { namespace = "", name, uid } = object.metadata;
  const events = { group: "", version: "v1", plural: "events" };
  const fields = `involvedObject.uid=${uid}`;
  const view = useObjects({ resource: events, namespace: namespace || "default", labels: "", fields }).value;
  const found = newestFirst([...view.objects.values()] as KubeEvent[], uid);
  const command = <CopyLine text={kubectl.events({ resource, namespace, name })} label="kubectl command" />;
  if (found.length === 0 && view.state !== "loading")
    return (
      <Empty title="No events">
        <p>Events are kept for {flagValue("apiserver.event-ttl")} (apiserver.event-ttl).</p>
        {command}
      </Empty>
    );
  const rows = found.map((event) => {
    const rule = event.type === "Warning" ? ruleOfReason(event.reason ?? "") : undefined;
    const count = eventCount(event);
    const first = secondsOf(event.firstTimestamp);
    return {
      key: event.metadata.uid,
      cells: [
        <Age since={eventTime(event)} />,
        <>
          <Status tone={event.type === "Warning" ? "trouble" : "idle"}>{event.reason ?? ""}</Status>
          {rule && <RuleHint rule={rule} />}
        </>,
        event.message ?? event.note,
        count > 1 ? (
          <>
            {count}
            {first > 0 && (
              <>
                {" "}
                in <Age since={first} />
              </>
            )}
          </>
        ) : (
          "1"
        ),
        eventSource(event),
      ],
    };
  });
  return (
    <>
      <Grid
        label="Events"
        columns={["Age", "Reason", "Message", "Times", "From"]}
        rows={rows}
        empty="Loading."
      />
      {command}
    </>
  );
}
