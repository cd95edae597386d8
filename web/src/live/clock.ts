import { computed, signal } from "@preact/signals";

const samplesMax = 6;

/** How far the cluster's clock is ahead of this machine's, in seconds. */
export const clockOffset = signal(0);

/** This machine's time, renewed each second while the page is looked at. */
const ticking = signal(Date.now() / 1000);

/** The cluster's time in seconds since the epoch, renewed each second: what an age counts from. */
export const now = computed(() => ticking.value + clockOffset.value);

/** The cluster's time at this moment, in seconds since the epoch. */
export function exactNow(): number {
  return Date.now() / 1000 + clockOffset.peek();
}

const samples: number[] = [];

/** Takes the time that the back end just named. */
export function setServerTime(seconds: number): void {
  samples.push(seconds - Date.now() / 1000);
  if (samples.length > samplesMax) samples.shift();
  // A message that was late names an old time: the greatest of the last offsets is the nearest.
  const offset = Math.max(...samples);
  if (Math.abs(offset - clockOffset.peek()) > 0.1) clockOffset.value = offset;
}

/** How long after a whole second `now` is renewed: a timer may fire a little early. */
const afterMs = 10;

/**
 * Begins to renew `now`; called once by the page. It is renewed at whole seconds of the cluster's time, in which the API
 * counts: so a countdown is right to the second.
 */
export function startClock(): void {
  const tick = () => {
    if (document.visibilityState === "visible") ticking.value = Date.now() / 1000;
  };
  const next = () => {
    setTimeout(
      () => {
        tick();
        next();
      },
      1000 + afterMs - ((exactNow() * 1000) % 1000),
    );
  };
  next();
  document.addEventListener("visibilitychange", tick);
}
