"""Nodes: silence, taints, eviction, Pod ranges, and the names that each may be known by."""
