import { useEffect, useRef } from "preact/hooks";

interface DifferenceProps {
  readonly before: string;
  readonly after: string;
  readonly label: string;
}

/** What changes from one text to another, with unchanged lines folded. */
export function Difference({ before, after, label }: DifferenceProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let drop: (() => void) | undefined;
    let current = true;
    void import("./difference-view").then(({ showDifference }) => {
      if (current) drop = showDifference(element, before, after, label);
    });
    return () => {
      current = false;
      drop?.();
    };
  }, [before, after]);
  return <div ref={box} class="yaml-editor" />;
}
