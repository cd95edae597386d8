"""Get, list and watch: from the caches, and from the store's history where they do not reach."""
