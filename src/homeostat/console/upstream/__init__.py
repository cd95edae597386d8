"""The API servers: which one answers, and the next one when it fails."""
