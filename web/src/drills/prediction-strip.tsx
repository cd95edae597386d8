import { span } from "../kube/ages";
import { stepText } from "../timeline/steps";
import type { Measured } from "./measured";

const WIDTH = 900;
const ROW = 26;

/** Predictions as hollow bars over the time that they were expected in; a filled mark is when each came true. */
export function PredictionStrip({ measured }: { readonly measured: readonly Measured[] }) {
  const longest = Math.max(
    1,
    ...measured.map(({ prediction, at }) => Math.max(prediction.withinSeconds, at ?? 0)),
  );
  const x = (seconds: number) => 8 + (seconds / longest) * (WIDTH - 16);
  const height = measured.length * ROW + 18;
  return (
    <svg
      class="prediction-strip"
      viewBox={`0 0 ${WIDTH} ${height}`}
      role="img"
      aria-label={measured
        .map(({ prediction, at }) => `${prediction.text}: ${at === null ? "not yet" : stepText(at)}`)
        .join("; ")}
    >
      {measured.map(({ prediction, at, state }, index) => {
        const y = index * ROW + ROW / 2;
        const from = x(prediction.afterSeconds);
        return (
          <g key={prediction.text}>
            <line class="prediction-strip__line" x1={8} x2={WIDTH - 8} y1={y} y2={y} />
            <rect
              class="prediction-strip__expected"
              x={from}
              y={y - 6}
              width={Math.max(3, x(prediction.withinSeconds) - from)}
              height={12}
              rx={6}
            />
            {at !== null && (
              <circle
                class={`prediction-strip__mark prediction-strip__mark--${state}`}
                cx={x(at)}
                cy={y}
                r={5}
              />
            )}
          </g>
        );
      })}
      <text class="prediction-strip__scale" x={8} y={height - 2}>
        0
      </text>
      <text class="prediction-strip__scale" x={WIDTH - 8} y={height - 2} text-anchor="end">
        {span(longest)}
      </text>
    </svg>
  );
}
