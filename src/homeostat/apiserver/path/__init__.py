"""The path of every request: its stages, what its path asks for, limits, warnings, health."""
