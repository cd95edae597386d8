import { clusterName } from "../settings/cluster-name";
import { Link } from "../app/link";
import { Age, CopyLine, Status } from "../components";
import { listAt } from "../kube/object";
import { now, useJournal, useObject } from "../live";
import { resource } from "../overview/follow";
import { Section } from "../overview/section";
import { useFlags } from "../settings/use-flags";
import { entriesOf } from "../timeline/entry";
import { useProbe } from "../timeline/probe";
import { summed } from "../timeline/probe-log";
import { stepText } from "../timeline/steps";
import { type Drill, faultText, runLine, undoText, whenText } from "./drill";
import { LatencyPlot } from "./latency-plot";
import { lastRun, type Measured, type Run } from "./measured";
import { PredictionStrip } from "./prediction-strip";

/** One drill: what will happen, how it is run, and prediction against measurement while and after it ran. */
export function DrillPage({ drill }: { readonly drill: Drill }) {
  useFlags();
  const view = useJournal({ since: 0, limit: 3000 }).value;
  const probes = useProbe();
  const app = useProbe(useAppPath(drill));
  const run = lastRun(drill, entriesOf(view.entries), now.value);
  const undo = undoText(drill);
  const since = run === null ? now.value - 120 : Math.max(run.fault.entry.time - 10, now.value - 600);
  return (
    <div class="drills">
      <h1>{drill.title}</h1>
      <p class="drills__quiet">{drill.loop}</p>
      <p>
        {capital(faultText(drill))}
        {undo === "" ? "." : `; ${undo}.`}
      </p>
      <CopyLine text={runLine(drill, clusterName())} />
      <Section
        title="What will happen"
        note={run === null ? "no run yet, as far as the journal reaches" : <LastRun run={run} />}
      >
        <PredictionsTable drill={drill} run={run} />
        {run !== null && <PredictionStrip measured={run.measured} />}
      </Section>
      <Section title="What a client of the API observes" note={summed(probes, since).text}>
        <LatencyPlot probes={probes} faultAt={run?.fault.entry.time ?? 0} />
      </Section>
      {app.length > 0 && (
        <Section title={`What a client of the app ${drill.app.name} observes`} note={summed(app, since).text}>
          <LatencyPlot probes={app} faultAt={run?.fault.entry.time ?? 0} />
        </Section>
      )}
    </div>
  );
}

/** The way to the drills' app, through the API server's proxy; empty while there is no Service of it. */
function useAppPath({ app }: Drill): string {
  const { namespace, name } = app;
  const service = useObject({ resource: resource("v1/services"), namespace, name }).value.object;
  const port = listAt<{ port: number }>(service, "spec", "ports")[0]?.port;
  return port === undefined ? "" : `/api/v1/namespaces/${namespace}/services/${name}:${port}/proxy/`;
}

function LastRun({ run }: { readonly run: Run }) {
  const { entry, what } = run.fault;
  return (
    <>
      {what} <Age since={entry.time} suffix="ago" /> ·{" "}
      <Link to={`/timeline?at=${entry.revision}`}>in the timeline</Link>
    </>
  );
}

function PredictionsTable({ drill, run }: { readonly drill: Drill; readonly run: Run | null }) {
  return (
    <table class="plain-table">
      <thead>
        <tr>
          <th>Prediction</th>
          <th class="plain-table__narrow">Expected</th>
          <th class="plain-table__narrow">Measured</th>
        </tr>
      </thead>
      <tbody>
        {drill.predictions.map((prediction, index) => (
          <tr key={prediction.text}>
            <td>{prediction.text}</td>
            <td class="plain-table__narrow plain-table__quiet">{whenText(prediction)}</td>
            <td class="plain-table__narrow">
              <MeasuredText measured={run?.measured[index]} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const TONES = { kept: "ok", early: "change", late: "trouble", open: "change" } as const;

function MeasuredText({ measured }: { readonly measured: Measured | undefined }) {
  if (measured === undefined) return <span class="drills__quiet">–</span>;
  const { at, state } = measured;
  const when = at === null ? "" : at === 0 ? "" : ` after ${stepText(at)}`;
  return <Status tone={TONES[state]}>{`${state === "open" ? "not yet" : state}${when}`}</Status>;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
