"""Validation of Pods and Pod templates: containers, volumes, placement, security."""
