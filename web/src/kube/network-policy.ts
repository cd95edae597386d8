import { selectorText, type LabelSelector } from "./selectors";

/** Somebody whom a network policy names. */
export interface PolicyPeer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

/** A port that a network policy names. */
export interface PolicyPort {
  readonly port?: number | string;
  readonly endPort?: number;
  readonly protocol?: string;
}

/** Whom a rule names, in words; no peers means everybody. */
export function peersText(peers: readonly PolicyPeer[] | undefined): string {
  if (!peers || peers.length === 0) return "everybody";
  return peers.map(peerText).join("; ");
}

function peerText({ podSelector, namespaceSelector, ipBlock }: PolicyPeer): string {
  if (ipBlock) return ipBlock.cidr + (ipBlock.except?.length ? ` except ${ipBlock.except.join(", ")}` : "");
  const pods = podSelector ? selectorText(podSelector) : "";
  const where = namespaceSelector
    ? ` in namespaces ${selectorText(namespaceSelector) || "of any label"}`
    : " of this namespace";
  return `${pods ? `pods ${pods}` : "all pods"}${where}`;
}

/** Which ports a rule names; none means all. */
export function policyPorts(ports: readonly PolicyPort[] | undefined): string {
  if (!ports || ports.length === 0) return "all";
  return ports
    .map(
      ({ port = "all", endPort, protocol = "TCP" }) => `${port}${endPort ? `-${endPort}` : ""}/${protocol}`,
    )
    .join(", ");
}
