"""Certificate requests, signers' demands and bootstrap tokens, as data."""
