import "./icon.css";

const paths = {
  brand: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8 4.5h3.6M8 7h5M8 9.5h4.7M8 12h3",
  "chevron-down": "M4 6.5l4 4 4-4",
  "chevron-right": "M6.5 4l4 4-4 4",
  check: "M3.5 8.5l3 3 6-7",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h7v7h-7zM3.5 10.5v-7h7",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5l3 3",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M12.6 3.4l-1.1 1.1M4.5 11.5l-1.1 1.1",
  moon: "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z",
  user: "M8 2.5a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM2.8 13.5c.6-2.4 2.6-3.7 5.2-3.7s4.6 1.3 5.2 3.7",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  "arrow-up": "M8 12.5v-9M4.5 7L8 3.5 11.5 7",
  "arrow-down": "M8 3.5v9M4.5 9L8 12.5 11.5 9",
  external: "M6 3.5H3.5v9h9V10M9 3.5h3.5V7M12.5 3.5L7.5 8.5",
  plus: "M8 3.5v9M3.5 8h9",
  filter: "M2.5 4h11M4.5 8h7M6.5 12h3",
} as const;

/** The pictures that there are; words stand beside them. */
export type IconName = keyof typeof paths;

/** A picture of 16 px that repeats what words say, and so has no name of its own. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class={`icon icon--${name}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
