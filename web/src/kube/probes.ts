import type { Probe } from "./kinds";

/** A probe in words: what it asks, how often, and when it counts as failed. "" without one. */
export function probeText(probe: Probe | undefined): string {
  if (!probe) return "";
  const { periodSeconds = 10, failureThreshold = 3, timeoutSeconds = 1, initialDelaySeconds = 0 } = probe;
  const delay = initialDelaySeconds ? `, from ${initialDelaySeconds} s on` : "";
  const fails = `fails after ${failureThreshold} × ${periodSeconds} s = ${failureThreshold * periodSeconds} s`;
  return `${asked(probe)} every ${periodSeconds} s${delay}; answer within ${timeoutSeconds} s; ${fails}`;
}

function asked({ httpGet, tcpSocket, exec, grpc }: Probe): string {
  if (httpGet)
    return `${httpGet.scheme === "HTTPS" ? "HTTPS" : "HTTP"} GET :${httpGet.port}${httpGet.path ?? "/"}`;
  if (tcpSocket) return `TCP :${tcpSocket.port}`;
  if (grpc) return `gRPC :${grpc.port}`;
  return exec ? `command ${(exec.command ?? []).join(" ")}` : "nothing";
}
