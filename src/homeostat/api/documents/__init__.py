"""Documents that somebody sends, JSON and YAML, bounded before work is done."""
