import { describe, expect, it } from "vitest";
import { codeIn } from "./sign-in-code";

describe("a link", () => {
  it("has its code in the fragment", () => {
    expect(codeIn("#code=ab12.cd34")).toBe("ab12.cd34");
    expect(codeIn("#other=1")).toBe("");
    expect(codeIn("")).toBe("");
  });
});
