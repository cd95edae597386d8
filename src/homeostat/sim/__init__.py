"""The whole cluster in one process on virtual time: fault plans, checkers, transcripts."""
