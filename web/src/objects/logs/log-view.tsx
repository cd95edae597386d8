import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { LogLine } from "./stream";

const ROW = 18;
const SPARE = 20;

interface LogViewProps {
  readonly lines: readonly LogLine[];
  readonly timestamps: boolean;
  readonly search: string;
  readonly empty: string;
}

/** The lines, of which only those on screen are in the page; it stays at the end while the person is there. */
export function LogView({ lines, timestamps, search, empty }: LogViewProps) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [atEnd, setAtEnd] = useState(true);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = box.current;
    if (atEnd && element) element.scrollTop = element.scrollHeight;
  }, [lines, atEnd, height]);
  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    setTop(element.scrollTop);
    setAtEnd(element.scrollTop + element.clientHeight >= element.scrollHeight - ROW);
  };
  const from = Math.max(0, Math.floor(top / ROW) - SPARE);
  const shown = lines.slice(from, Math.ceil((top + height) / ROW) + SPARE);
  return (
    <div class="log__frame">
      <div
        ref={box}
        class="log__lines"
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        onScroll={onScroll}
      >
        {lines.length === 0 && <p class="log__empty">{empty}</p>}
        <div class="log__all" style={{ height: `${lines.length * ROW}px` }}>
          <div class="log__shown" style={{ transform: `translateY(${from * ROW}px)` }}>
            {shown.map((line) => (
              <div key={line.id} class="log__line">
                {timestamps && <span class="log__time">{line.time} </span>}
                {line.source !== "" && <span class="log__source">{line.source} </span>}
                <Marked text={line.text} search={search} />
              </div>
            ))}
          </div>
        </div>
      </div>
      {!atEnd && (
        <button type="button" class="button button--main log__to-end" onClick={() => setAtEnd(true)}>
          To the end
        </button>
      )}
    </div>
  );
}

function Marked({ text, search }: { readonly text: string; readonly search: string }) {
  const at = search === "" || search.startsWith("/") ? -1 : text.toLowerCase().indexOf(search.toLowerCase());
  if (at < 0) return <>{text}</>;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + search.length)}</mark>
      {text.slice(at + search.length)}
    </>
  );
}
