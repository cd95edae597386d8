import type { Volume } from "./kinds";
import { at, listAt, textAt } from "./object";

/** Where a volume's files come from, in words. */
export function volumeText(volume: Volume): string {
  const source = Object.keys(volume).find((key) => key !== "name") ?? "";
  const detail = volume[source];
  if (source === "hostPath") return textAt(detail, "path");
  if (source === "emptyDir")
    return ["empty at the pod's start", textAt(detail, "sizeLimit"), textAt(detail, "medium")]
      .filter(Boolean)
      .join(", ");
  if (source === "projected") return listAt(detail, "sources").map(projectedText).join(", ");
  if (source === "csi") return textAt(detail, "driver");
  if (source === "nfs") return `${textAt(detail, "server")}:${textAt(detail, "path")}`;
  return JSON.stringify(detail);
}

function projectedText(source: unknown): string {
  const token = at(source, "serviceAccountToken");
  if (token !== undefined) return `token, renewed within ${textAt(token, "expirationSeconds")} s`;
  const configMap = textAt(source, "configMap", "name");
  if (configMap) return `config map ${configMap}`;
  const secret = textAt(source, "secret", "name");
  return secret ? `secret ${secret}` : Object.keys(source as object).join(", ");
}
