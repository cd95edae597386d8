"""Service rules: a pure plan, and a thin userspace applier on loopback."""
