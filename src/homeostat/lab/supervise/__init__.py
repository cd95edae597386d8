"""The one process that must stay up: it launches everything else, and relaunches it."""
