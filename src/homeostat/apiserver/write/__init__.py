"""Create, change and delete: the path of a write from a decoded object to an acknowledged commit."""
