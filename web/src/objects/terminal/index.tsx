import "./terminal.css";
import { useEffect, useRef, useState } from "preact/hooks";
import { MissingRight } from "../../actions/access-check";
import { type Access, mayI } from "../../actions/access";
import { Button, CopyLine, Status } from "../../components";
import type { Pod } from "../../kube/kinds";
import { kubectl } from "../../kube/kubectl";
import type { TabProps } from "../body";
import { connectTerminal, type TerminalTarget } from "./session";
import { openScreen } from "./screen";

// The first shell that the image has.
const PICK = ["sh", "-c", "if [ -x /bin/bash ]; then exec /bin/bash; else exec sh; fi"];
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  "": PICK,
  bash: ["bash"],
  sh: ["sh"],
  python3: ["python3"],
};

type Phase =
  | { readonly is: "connecting" }
  | { readonly is: "open" }
  | { readonly is: "ended"; readonly message: string; readonly exitCode: number | null };

/** A terminal in one of a pod's containers: a shell of its own, or attached to the container's process. */
export default function TerminalTab({ resource, object }: TabProps) {
  const pod = object as Pod;
  const { namespace = "", name } = pod.metadata;
  const [container, setContainer] = useState(pod.spec.containers[0]?.name ?? "");
  const [shell, setShell] = useState("");
  const [mode, setMode] = useState<"exec" | "attach">("exec");
  const [attempt, setAttempt] = useState(0);
  const [phase, setPhase] = useState<Phase>({ is: "connecting" });
  const [missing, setMissing] = useState<Access | null | undefined>(undefined);
  const target = { resource, namespace, name };
  useEffect(() => {
    const access = { verb: "create", group: "", resource: "pods", subresource: mode, namespace, name };
    // Nothing is connected before the answer: a refused WebSocket does not say why.
    setMissing(undefined);
    mayI(access).then(
      (allowed) => setMissing(allowed ? null : access),
      () => setMissing(null),
    );
  }, [mode, namespace, name]);
  const command = SHELLS[shell] ?? [shell];
  return (
    <div class="terminal">
      <div class="terminal__bar">
        <select
          class="input"
          aria-label="Container"
          value={container}
          onChange={(event) => setContainer(event.currentTarget.value)}
        >
          {pod.spec.containers.map((each) => (
            <option key={each.name} value={each.name}>
              {each.name}
            </option>
          ))}
        </select>
        <select
          class="input"
          aria-label="What to run"
          value={mode === "attach" ? "attach" : shell}
          onChange={(event) => {
            const { value } = event.currentTarget;
            setMode(value === "attach" ? "attach" : "exec");
            setShell(value === "attach" ? "" : value);
          }}
        >
          <option value="">Shell</option>
          <option value="bash">bash</option>
          <option value="sh">sh</option>
          <option value="python3">python3</option>
          <option value="attach">Attach to its process</option>
        </select>
        {missing === null && <PhaseStatus phase={phase} />}
        {missing === null && phase.is === "ended" && (
          <Button onClick={() => setAttempt(attempt + 1)}>Connect again</Button>
        )}
      </div>
      {missing !== null && missing !== undefined && (
        <div class="terminal__refused">
          <MissingRight access={missing} />
        </div>
      )}
      {missing === null && (
        <Screen
          key={`${container} ${mode} ${shell} ${attempt}`}
          target={{ namespace, pod: name, container, mode, command }}
          onPhase={setPhase}
        />
      )}
      <div class="terminal__foot">
        <CopyLine
          text={
            mode === "attach"
              ? kubectl.attach(target, container)
              : kubectl.exec(target, container, [shell || "sh"])
          }
        />
      </div>
    </div>
  );
}

function PhaseStatus({ phase }: { readonly phase: Phase }) {
  if (phase.is !== "ended") {
    const open = phase.is === "open";
    return <Status tone={open ? "ok" : "change"}>{open ? "connected" : "connecting"}</Status>;
  }
  const { message, exitCode } = phase;
  if (exitCode === 0) return <Status tone="idle">ended</Status>;
  return <Status tone="trouble">{message || `ended with exit code ${exitCode ?? "unknown"}`}</Status>;
}

interface ScreenProps {
  readonly target: TerminalTarget;
  readonly onPhase: (phase: Phase) => void;
}

function Screen({ target, onPhase }: ScreenProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let close: (() => void) | undefined;
    let current = true;
    onPhase({ is: "connecting" });
    void openScreen(element).then((screen) => {
      if (!current) {
        screen.dispose();
        return;
      }
      const session = connectTerminal(target, {
        write: screen.write,
        onOpen: () => {
          onPhase({ is: "open" });
          session.resize(...screen.size());
        },
        onEnd: (message, exitCode) => {
          screen.write(`\r\n\u001b[2m[${message || `exit code ${exitCode ?? "unknown"}`}]\u001b[0m\r\n`);
          onPhase({ is: "ended", message, exitCode });
        },
      });
      screen.onType(session.type);
      screen.onResize(session.resize);
      screen.focus();
      close = () => {
        session.close();
        screen.dispose();
      };
    });
    return () => {
      current = false;
      close?.();
    };
  }, []);
  return <div ref={box} class="terminal__screen" />;
}
