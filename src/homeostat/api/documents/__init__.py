"""Documents from clients, JSON and YAML, checked against size limits before they are decoded."""
