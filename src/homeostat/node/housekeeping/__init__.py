"""What a node does for itself: it watches its resources, gives pods up under pressure, and throws away what is old."""
