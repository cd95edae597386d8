"""Objects in the shape of their kind: schema, decoding, defaults, what a create resets and an update keeps."""
