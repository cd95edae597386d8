"""The journal of causes: which write was made why, by whom, and who may see it."""
