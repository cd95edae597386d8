"""Bodies in and out: JSON, YAML and protobuf to objects, objects to the form that was asked for."""
