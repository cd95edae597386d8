"""What a node does for itself: watches its resources, evicts pods under pressure, removes old images and logs."""
