"""What runs containers, behind one contract: simulated, processes of this machine, or an engine over the CRI."""
