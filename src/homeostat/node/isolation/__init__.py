"""What keeps a pod's containers apart: users, limits, names, files. Decided by pure functions, applied by few
modules."""
