"""What a run does to the cluster: faults and changes as data, drawn by chance, and made to happen."""
