"""Nodes that are hosts: namespaces, a root of their own, an init that runs services, and the network between them."""
