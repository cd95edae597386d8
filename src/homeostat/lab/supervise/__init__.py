"""The one process that must live: it launches everything else and launches it again."""
