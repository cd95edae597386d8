import "./drills.css";
import type { PageProps } from "../app/routes";
import { Link } from "../app/link";
import { Empty } from "../components";
import { Section } from "../overview/section";
import type { Drill } from "./drill";
import { DrillPage } from "./drill-page";
import { useDrills } from "./drills-data";

/** The drills, or one of them. */
export default function DrillsPage({ params }: PageProps) {
  const drills = useDrills();
  if (drills === null) return null;
  if (drills.length === 0) {
    return (
      <Empty title="No drills here">
        Drills break a cluster of this machine; for this one <code>homeostat drill</code> has nothing to
        break.
      </Empty>
    );
  }
  const { name = "" } = params;
  const drill = drills.find((each) => each.name === name);
  if (drill !== undefined) return <DrillPage drill={drill} />;
  if (name !== "") return <Empty title={`There is no drill ${name}`} />;
  return <DrillsList drills={drills} />;
}

function DrillsList({ drills }: { readonly drills: readonly Drill[] }) {
  return (
    <div class="drills">
      <Section
        title="Drills"
        note="Each breaks one thing on purpose, and predicts what the loops will do and when."
      >
        <table class="plain-table">
          <thead>
            <tr>
              <th class="plain-table__narrow">Name</th>
              <th>What is broken</th>
              <th>Which loop mends it</th>
              <th class="plain-table__number plain-table__narrow">Predictions</th>
            </tr>
          </thead>
          <tbody>
            {drills.map((drill) => (
              <tr key={drill.name}>
                <td class="plain-table__narrow">
                  <Link to={`/drills/${drill.name}`}>{drill.name}</Link>
                </td>
                <td>{drill.title}</td>
                <td class="plain-table__quiet">{drill.loop}</td>
                <td class="plain-table__number">{drill.predictions.length}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Section>
    </div>
  );
}
