"""Homeostat: a self-healing cluster that speaks the Kubernetes API. ARCHITECTURE.md shows the rooms."""

__version__ = "0.1.0"
KUBERNETES_VERSION = "v1.36.0"
