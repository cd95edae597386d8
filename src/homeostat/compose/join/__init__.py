"""A machine that joins from outside: trust, its certificate, its node's services in one process."""
