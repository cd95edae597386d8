"""The only access to time, randomness, task creation and logging; everything above gets them from here."""
