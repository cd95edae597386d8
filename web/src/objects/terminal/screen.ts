/** The terminal on the screen; its library loads when the first one is opened. */

import { adoptingStyles } from "./adopted-styles";

/** A terminal that is shown. */
export interface TerminalScreen {
  readonly write: (data: Uint8Array | string) => void;
  readonly size: () => [columns: number, rows: number];
  readonly focus: () => void;
  readonly onType: (take: (text: string) => void) => void;
  readonly onResize: (take: (columns: number, rows: number) => void) => void;
  readonly dispose: () => void;
}

/** Shows a terminal in an element; it follows the element's size. */
export async function openScreen(element: HTMLElement): Promise<TerminalScreen> {
  const [{ Terminal }, { FitAddon }] = await Promise.all([
    import("@xterm/xterm"),
    import("@xterm/addon-fit"),
    import("@xterm/xterm/css/xterm.css"),
  ]);
  const token = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const terminal = new Terminal({
    fontFamily: token("--font-code"),
    fontSize: 13,
    cursorBlink: false,
    scrollback: 10_000,
    screenReaderMode: true,
    theme: {
      background: token("--sunken"),
      foreground: token("--text"),
      cursor: token("--accent"),
      selectionBackground: token("--selected"),
    },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  const dropStyles = adoptingStyles(() => terminal.open(element));
  fit.fit();
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(element);
  return {
    write: (data) => terminal.write(data),
    size: () => [terminal.cols, terminal.rows],
    focus: () => terminal.focus(),
    onType: (take) => terminal.onData(take),
    onResize: (take) => terminal.onResize(({ cols, rows }) => take(cols, rows)),
    dispose: () => {
      observer.disconnect();
      terminal.dispose();
      dropStyles();
    },
  };
}
