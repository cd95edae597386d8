"""Deployment, ReplicaSet, DaemonSet: as many Pods as wanted, of the right revision."""
