import "./settings.css";
import { useEffect, useState } from "preact/hooks";
import { Status } from "../components";
import { connection } from "../live";
import { requestText } from "../live/api";
import { Section } from "../overview/section";
import { type Check, checksOf } from "./checks";

const PERIOD_MS = 5000;

/** What the API server that serves the page says of its own readiness, check by check. */
export function ServerChecks() {
  const [checks, setChecks] = useState<readonly Check[]>([]);
  useEffect(() => {
    let current = true;
    const ask = async () => {
      try {
        const text = await requestText("/readyz", { query: { verbose: "" } });
        if (current) setChecks(checksOf(text));
      } catch {
        // What was known last stays shown: the outage is said in the strip.
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), PERIOD_MS);
    return () => {
      current = false;
      clearInterval(timer);
    };
  }, []);
  if (checks.length === 0) return null;
  return (
    <Section title="Readiness checks" note={`of ${connection.value.server || "the API server that answers"}`}>
      <ul class="server-checks">
        {checks.map(({ name, ok, why }) => (
          <li key={name} title={why}>
            <Status tone={ok ? "ok" : "trouble"}>{name}</Status>
          </li>
        ))}
      </ul>
    </Section>
  );
}
