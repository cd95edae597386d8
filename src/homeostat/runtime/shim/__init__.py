"""The process beside containers: it starts them, logs them, runs commands in them and reaps them."""
