import "./story-strip.css";
import { Age, Status } from "../components";
import { durationText } from "../components/age-text";
import { connection, now, useJournal } from "../live";
import { Link } from "./link";
import { storyText } from "./story-text";

const failoverShownSeconds = 60;

/** One line about what happens: the connection when that is in question, else the newest chain of causes. */
export function StoryStrip() {
  const journal = useJournal({ since: 0, limit: 200 });
  const newest = journal.value.entries.at(-1);
  return (
    <footer class="story">
      {newest === undefined ? (
        <span class="story__quiet">Nothing has been written yet</span>
      ) : (
        <Link to={`/timeline?at=${newest.revision}`} class="story__line" title={storyText(newest)}>
          <span class="story__text">{storyText(newest)}</span>
          <span class="story__age">
            <Age since={newest.time} suffix="ago" />
          </span>
        </Link>
      )}
      <ConnectionPart />
    </footer>
  );
}

function ConnectionPart() {
  const { phase, since, server, failover } = connection.value;
  if (phase === "lost") {
    return (
      <span class="story__connection story__connection--change" role="status">
        <Status tone="change">{`The Console's back end does not answer for ${durationText(now.value - since)}: connecting again`}</Status>
      </span>
    );
  }
  if (phase === "outage") {
    return (
      <span class="story__connection story__connection--trouble" role="status">
        <Status tone="trouble">{`No API server answers for ${durationText(now.value - since)}: last known state`}</Status>
      </span>
    );
  }
  if (failover !== null && now.value - failover.at < failoverShownSeconds) {
    const text = `This page moved from ${failover.from} to ${failover.to} in ${Math.round(failover.gapMs)} ms`;
    return (
      <span class="story__connection" role="status">
        <Status tone="ok">{text}</Status>
      </span>
    );
  }
  return <span class="story__connection story__quiet">{server === "" ? "" : `served by ${server}`}</span>;
}
