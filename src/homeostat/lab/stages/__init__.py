"""What a drill may break in a lab: nodes that are processes, and nodes that are hosts."""
