"""Certificate requests and bootstrap tokens: approved, signed, cleaned."""
