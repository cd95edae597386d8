"""Label and field selectors, compiled to matchers."""
