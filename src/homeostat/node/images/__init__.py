"""Images on a node: their names, the credentials for them, pulling them, and garbage collection."""
