"""The only doors to time, randomness, task creation and logging; everything above takes them from here."""
