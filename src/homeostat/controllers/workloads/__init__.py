"""Deployment, ReplicaSet, DaemonSet: as many Pods as asked for, of the right revision."""
