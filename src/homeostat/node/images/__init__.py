"""Images on a node: their names, the credentials for them, pulling them, and which of them may go."""
