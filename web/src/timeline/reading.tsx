import type { Lane } from "./lanes";
import { LANE_HEIGHT, readAt } from "./marks";
import { phraseOf } from "./phrases";
import { AXIS_HEIGHT } from "./scene";
import { clockText, type TimeWindow, timeAt } from "./window";

interface ReadingProps {
  readonly lanes: readonly Lane[];
  readonly window: TimeWindow;
  readonly width: number;
  readonly x: number;
}

/** The vertical cursor: at its time, what each lane's newest write was. */
export function Reading({ lanes, window, width, x }: ReadingProps) {
  const time = timeAt(window, width, x);
  const onLeft = x > width * 0.6;
  return (
    <div class="timeline__reading" style={{ transform: `translateX(${x}px)` }} aria-hidden="true">
      <span class={onLeft ? "timeline__reading-time timeline__reading--left" : "timeline__reading-time"}>
        {clockText(time, window.span < 60 ? 0.01 : 1)}
      </span>
      {readAt(lanes, window, width, x).map((entry, index) =>
        entry === undefined ? null : (
          <span
            key={lanes[index]?.id}
            class={onLeft ? "timeline__reading-line timeline__reading--left" : "timeline__reading-line"}
            style={{ top: `${AXIS_HEIGHT + index * LANE_HEIGHT + 2}px` }}
          >
            {phraseOf(entry)}
          </span>
        ),
      )}
    </div>
  );
}
