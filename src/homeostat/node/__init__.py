"""The node agent: pod workers, lifecycle table, probes, volumes, status, the kubelet's server."""
