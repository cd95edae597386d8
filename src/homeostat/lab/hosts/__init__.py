"""Nodes as hosts, seen from outside: their processes, control groups, requirements, and how to enter them."""
