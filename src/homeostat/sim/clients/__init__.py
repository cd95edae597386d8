"""Who uses a simulated cluster: readers, writers that compete, and clients of its Services."""
