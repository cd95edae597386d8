"""Which node runs a pod: snapshot, filters, scores, the cycle."""
