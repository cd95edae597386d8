/**
 * Lets a library that writes `<style>` elements work under a Content-Security-Policy that refuses them: it gets a
 * document whose style elements are hidden holders, and their text becomes sheets of the page through the CSSOM.
 */

function holder(sheets: Set<CSSStyleSheet>): HTMLElement {
  const element = document.createElement("div");
  const sheet = new CSSStyleSheet();
  element.hidden = true;
  sheets.add(sheet);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const observer = new MutationObserver(() => sheet.replaceSync(element.textContent));
  observer.observe(element, { childList: true, characterData: true, subtree: true });
  return element;
}

/** A document for the library, and what removes its sheets from the page again. */
export function documentWithAdoptedStyles(): { document: Document; dispose: () => void } {
  const sheets = new Set<CSSStyleSheet>();
  const wrapped = new Proxy(document, {
    get: (target, key): unknown => {
      if (key === "createElement")
        return (name: string) => (name === "style" ? holder(sheets) : target.createElement(name));
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
  const dispose = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => !sheets.has(sheet));
  };
  return { document: wrapped, dispose };
}
