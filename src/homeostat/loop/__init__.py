"""The grammar of reconciliation: keys, queue, informer, runner, leader election."""
