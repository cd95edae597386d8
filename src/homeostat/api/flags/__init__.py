"""The components' flags: which there are, and settings parsed against them."""
