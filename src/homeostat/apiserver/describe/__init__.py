"""How the API describes itself: discovery and OpenAPI."""
