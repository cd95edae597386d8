"""What a cluster's owner does: up, workers, masters, backups, drills; steps are reported, never printed."""
