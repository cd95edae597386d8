/**
 * Lets a library that writes `<style>` elements work under a Content-Security-Policy that refuses them: while it sets
 * itself up it gets hidden holders for them, whose text becomes sheets of the page through the CSSOM.
 */

function holder(element: HTMLElement, sheets: Set<CSSStyleSheet>): HTMLElement {
  const sheet = new CSSStyleSheet();
  element.hidden = true;
  sheets.add(sheet);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const observer = new MutationObserver(() => sheet.replaceSync(element.textContent));
  observer.observe(element, { childList: true, characterData: true, subtree: true });
  return element;
}

/** Runs a library's set-up, which must end before it returns; what is returned removes its sheets again. */
export function adoptingStyles(setUp: () => void): () => void {
  const sheets = new Set<CSSStyleSheet>();
  const make = Reflect.get<Document, "createElement">(document, "createElement").bind(document);
  const own: { createElement?: (name: string) => HTMLElement } = document;
  own.createElement = (name) => (name === "style" ? holder(make("div"), sheets) : make(name));
  try {
    setUp();
  } finally {
    // What is left is the prototype's own.
    delete own.createElement;
  }
  return () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => !sheets.has(sheet));
  };
}
