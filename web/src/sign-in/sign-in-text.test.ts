import { describe, expect, it } from "vitest";
import { explainRefusal } from "./sign-in-text";

describe("a sign-in", () => {
  it("says of a used code that a link signs in once", () => {
    expect(explainRefusal({ code: "x" }, { code: 401 }).advice).toContain("has been used, or it has expired");
  });

  it("says of a refused token that it may be of another cluster", () => {
    expect(explainRefusal({ token: "x" }, { code: 401 }).advice).toContain("another cluster");
  });

  it("does not blame the person when nobody answers", () => {
    expect(explainRefusal({ code: "x" }, { code: 503, message: "No API server answers." }).title).toBe(
      "No answer",
    );
  });
});
