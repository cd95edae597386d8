"""Certificate requests and bootstrap tokens: approves, signs and cleans them up."""
