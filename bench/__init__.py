"""The project's measurements: `python -m bench` prints the figures and writes docs/performance.md."""
