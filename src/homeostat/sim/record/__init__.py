"""What happened in a run: every commit, and the transcript."""
