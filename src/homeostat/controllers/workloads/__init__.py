"""Deployment, ReplicaSet, DaemonSet: keep as many Pods as wanted, of the right revision."""
