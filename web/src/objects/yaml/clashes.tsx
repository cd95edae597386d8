import { Button, Status } from "../../components";
import { shortValue, takeTheirs } from "./edit";
import { type Clash, pathText } from "./merge";

interface ClashesProps {
  readonly clashes: readonly Clash[];
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly onSettled: (clash: Clash) => void;
}

/** Both sides of each field that two people changed: mine is in the text, theirs can be taken. */
export function Clashes({ clashes, text, onText, onSettled }: ClashesProps) {
  if (clashes.length === 0) return null;
  return (
    <ul class="yaml-tab__notice yaml-tab__clashes" aria-label="Fields that both changed">
      {clashes.map((clash) => (
        <li key={pathText(clash.path)}>
          <Status tone="trouble">{pathText(clash.path)}</Status>
          <span>
            mine <code>{shortValue(clash.mine)}</code>, theirs <code>{shortValue(clash.theirs)}</code>
          </span>
          <Button onClick={() => onSettled(clash)}>Keep mine</Button>
          <Button
            onClick={() => {
              onText(takeTheirs(text, clash));
              onSettled(clash);
            }}
          >
            Take theirs
          </Button>
        </li>
      ))}
    </ul>
  );
}
