"""What a lab does differently where nodes are hosts and where they are processes: one contract, chosen once."""
