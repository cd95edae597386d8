"""Service rules of a whole lab in one process: listening sockets on loopback, connections joined byte for byte."""
