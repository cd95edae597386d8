"""Processes of a lab: forked from a warm parent, given orders, named, and the host of all containers."""
