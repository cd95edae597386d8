"""How kinds are printed as tables, in kubectl's words."""
