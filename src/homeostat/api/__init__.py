"""Kubernetes objects as data, without I/O: kinds, schema, defaults, validation, patches, selectors, tables, errors."""
