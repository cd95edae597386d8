import "./story-strip.css";
import { useComputed } from "@preact/signals";
import { Age, Status } from "../components";
import { durationText } from "../components/age-text";
import { connection, now, useJournal } from "../live";
import { entriesOf } from "../timeline/entry";
import { storyOf } from "../timeline/story";
import { Link } from "./link";
import { addressOf } from "./match";

const failoverShownSeconds = 60;
const wholeJournal = { since: 0, limit: 1000 };

/** One line about what happens: the newest chain of causes in words, and who serves the page. */
export function StoryStrip() {
  const journal = useJournal(wholeJournal);
  const entries = useComputed(() => entriesOf(journal.value.entries));
  const story = useComputed(() => storyOf(entries.value, Math.floor(now.value / 5) * 5)).value;
  return (
    <footer class="story">
      {story === null ? (
        <span class="story__quiet">{journal.value.state === "loading" ? "" : "Nothing has changed yet"}</span>
      ) : (
        <Link
          to={addressOf("/timeline", { at: String(story.revision) })}
          class="story__line"
          title={story.parts.join(" · ")}
        >
          <Status tone={story.tone} />
          <span class="story__text">{story.parts.join(" · ")}</span>
          <span class="story__age">
            <Age since={story.at} suffix="ago" />
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
    const gap = `in ${Math.round(failover.gapMs)} ms`;
    return (
      <span class="story__connection" role="status" title={`From ${failover.from} to ${failover.to} ${gap}`}>
        <Status tone="ok">{`This page moved to ${failover.to} ${gap}`}</Status>
      </span>
    );
  }
  return <span class="story__connection story__quiet">{server === "" ? "" : `served by ${server}`}</span>;
}
