"""Reconciliation: keys, work queue, informer, runner, leader election."""
