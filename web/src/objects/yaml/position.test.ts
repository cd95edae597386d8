import { describe, expect, it } from "vitest";
import { positionAt } from "./position";

/** The position at the mark `|` in a text. */
function at(text: string) {
  const offset = text.indexOf("|");
  return positionAt(text.replace("|", ""), offset);
}

describe("a position in YAML", () => {
  it("is a key in the map that the indentation says", () => {
    expect(at("spec:\n  rep|")).toMatchObject({ path: ["spec"], at: "key", word: "rep" });
    expect(at("spec:\n  template:\n    spec:\n      |")).toMatchObject({
      path: ["spec", "template", "spec"],
      word: "",
    });
    expect(at("spec:\n  template:\n    a: 1\n|")).toMatchObject({ path: [], at: "key" });
  });

  it("is a value of its key", () => {
    expect(at("spec:\n  paused: tr|")).toMatchObject({ path: ["spec", "paused"], at: "value", word: "tr" });
    expect(at("kind: |")).toMatchObject({ path: ["kind"], at: "value", word: "" });
  });

  it("is in a list's item, whether the list is indented or not", () => {
    const item = { path: ["spec", "containers", 0], at: "key" };
    expect(at("spec:\n  containers:\n    - na|")).toMatchObject(item);
    expect(at("spec:\n  containers:\n  - na|")).toMatchObject(item);
    expect(at("spec:\n  containers:\n  - name: a\n    im|")).toMatchObject(item);
    expect(at("spec:\n  containers:\n  - name: a\n    env:\n    - name: X\n      va|")).toMatchObject({
      path: ["spec", "containers", 0, "env", 0],
    });
  });

  it("leaves comments, blank lines and other documents alone", () => {
    expect(at("kind: A\n---\nspec:\n\n  # a comment\n  |")).toMatchObject({ path: ["spec"], at: "key" });
    expect(at("spec:\n  a: 1\n---\n|")).toMatchObject({ path: [] });
  });
});
