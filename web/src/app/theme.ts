import { computed, signal } from "@preact/signals";

/** What a person chose; `system` follows the machine. */
export type ThemeChoice = "system" | "light" | "dark";

const storageKey = "homeostat-theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(dark.matches);

/** The chosen theme. */
export const themeChoice = signal<ThemeChoice>(remembered());

/** The theme that is shown. */
export const theme = computed<"light" | "dark">(() => {
  if (themeChoice.value !== "system") return themeChoice.value;
  return systemDark.value ? "dark" : "light";
});

function remembered(): ThemeChoice {
  try {
    const text = window.localStorage.getItem(storageKey);
    return text === "light" || text === "dark" ? text : "system";
  } catch {
    return "system";
  }
}

/** Chooses a theme and remembers it on this machine. */
export function chooseTheme(choice: ThemeChoice): void {
  themeChoice.value = choice;
  try {
    window.localStorage.setItem(storageKey, choice);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
}

/** Shows the theme from now on, whatever it becomes; called once by the page. */
export function startTheme(): void {
  dark.addEventListener("change", (event) => (systemDark.value = event.matches));
  theme.subscribe((value) => (document.documentElement.dataset.theme = value));
}
