"""The OpenAPI documents of a catalogue."""
