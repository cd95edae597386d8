import { describe, expect, it } from "vitest";
import { keySigns, keyText } from "./key-text";

const plain = { metaKey: false, ctrlKey: false, altKey: false };

describe("a key", () => {
  it("is named with its modifier, whichever of the two it is", () => {
    expect(keyText({ ...plain, key: "j" })).toBe("j");
    expect(keyText({ ...plain, key: "K", metaKey: true })).toBe("mod+k");
    expect(keyText({ ...plain, key: "k", ctrlKey: true })).toBe("mod+k");
  });

  it("is shown as it is on the keyboard", () => {
    expect(keySigns("mod+k", false)).toEqual(["Ctrl", "k"]);
    expect(keySigns("mod+k", true)).toEqual(["⌘", "k"]);
    expect(keySigns("g p", false)).toEqual(["g", "p"]);
    expect(keySigns("ArrowDown", false)).toEqual(["↓"]);
  });
});
