"""What runs containers, behind one contract: simulated and process."""
