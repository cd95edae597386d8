import { Link } from "../app/link";
import { Age } from "../components";
import { now, useJournal } from "../live";
import { entriesOf } from "../timeline/entry";
import { openFaults } from "../timeline/open-faults";

/** What was broken lately and has not healed yet, and what was broken last; where drills are found. */
export function OpenDrills() {
  const view = useJournal({ since: 0, limit: 1000 }).value;
  const faults = openFaults(entriesOf(view.entries), now.value);
  const open = faults.filter((fault) => fault.healedAt === 0);
  const [last] = faults;
  return (
    <Link to="/drills" class="overview__figure">
      <span class="overview__figure-value">{open.length}</span>
      <span class="overview__figure-name">
        {open.length === 0 && last !== undefined ? (
          <>
            Open faults · last <Age since={last.fault.entry.time} suffix="ago" />
          </>
        ) : (
          "Open faults"
        )}
      </span>
    </Link>
  );
}
