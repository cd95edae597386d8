"""What a server keeps of each resource: the state as bytes, recent changes, watchers; fed from the store in order."""
