"""What runs beside the requests: the cluster's own objects, the server's Lease, compaction of history."""
