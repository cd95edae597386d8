"""A streaming server of the runtime's own, as engines have one: exec, attach and port-forward over SPDY/3.1."""
