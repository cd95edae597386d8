import "./flag.css";
import type { ComponentChildren } from "preact";
import { flag } from "../kube/flags";

interface FlagProps {
  /** `component.flag`, as `homeostat up --set` takes it. */
  readonly name: string;
  /** What is shown; the flag's value where nothing else is. */
  readonly children?: ComponentChildren;
}

/** A number that a flag decides: hover or focus names the flag with its value here. */
export function FlagValue({ name, children }: FlagProps) {
  const { value, what } = flag(name);
  return (
    <span class="flag-value" tabIndex={0} title={`${name}=${value}: ${what}`}>
      {children ?? value}
    </span>
  );
}
