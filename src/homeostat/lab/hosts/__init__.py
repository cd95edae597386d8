"""Nodes as hosts, seen from outside: their processes, control groups, what they need, the way in."""
