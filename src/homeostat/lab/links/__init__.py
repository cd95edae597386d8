"""The links of a lab: relays and uplinks, switch and cables, ports of the host, the way to registries."""
