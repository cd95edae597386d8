"""The kubelet's own server: logs, exec, attach, port-forward, health, statistics."""
