"""Nodes: health, taints, eviction, Pod ranges, and the names that their certificates may have."""
