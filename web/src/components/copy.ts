import { toast } from "./toasts";

/** Puts a text on the clipboard and says so; says as well when the browser refuses. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast(
      "The browser does not let this page write to the clipboard: select the text and copy it",
      "trouble",
    );
  }
}
