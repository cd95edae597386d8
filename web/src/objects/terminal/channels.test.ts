import { describe, expect, it } from "vitest";
import { closed, received, resized, typed } from "./channels";

const bytes = (channel: number, text: string) => {
  const body = new TextEncoder().encode(text);
  return new Uint8Array([channel, ...body]).buffer;
};

it("typed text and sizes go on their channels", () => {
  expect([...typed("é")]).toEqual([0, 0xc3, 0xa9]);
  expect(new TextDecoder().decode(resized(80, 24).subarray(1))).toBe('{"Width":80,"Height":24}');
  expect(resized(80, 24)[0]).toBe(4);
  expect([...closed()]).toEqual([255, 0]);
});

describe("what comes from the container", () => {
  it("is output on either stream", () => {
    const found = received(bytes(2, "oh"));
    expect(found.what === "output" && new TextDecoder().decode(found.bytes)).toBe("oh");
  });

  it("ends with the exit code that the Status names", () => {
    const status = {
      status: "Failure",
      message: "command terminated with exit code 3",
      details: { causes: [{ reason: "ExitCode", message: "3" }] },
    };
    expect(received(bytes(3, JSON.stringify(status)))).toMatchObject({ what: "end", exitCode: 3 });
    expect(received(bytes(3, '{"status":"Success"}'))).toMatchObject({ exitCode: 0 });
    expect(received(bytes(3, "no JSON"))).toMatchObject({ exitCode: -1, message: "no JSON" });
  });
});
