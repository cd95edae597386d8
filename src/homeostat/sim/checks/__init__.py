"""What must hold: at every moment of a run, and at its end."""
