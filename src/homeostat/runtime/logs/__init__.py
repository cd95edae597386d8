"""Container logs as the CRI has them: written with rotation, and read across the rotated files."""
