"""`docker` on a node: one module for each family of its commands, and Go templates for `--format`."""
