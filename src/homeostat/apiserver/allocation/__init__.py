"""Cluster addresses and node ports of Services: allocated, each to one Service, and released."""
