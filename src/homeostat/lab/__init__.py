"""A cluster on one machine: its supervisor, nodes, images, links, and the faults of its drills."""
