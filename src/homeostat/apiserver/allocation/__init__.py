"""Cluster addresses and node ports of Services: drawn, held by one, given back."""
