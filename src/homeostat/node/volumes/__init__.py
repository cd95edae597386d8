"""A Pod's files: volumes made, filled from the objects that they show, kept current, removed."""
