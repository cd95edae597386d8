"""Subresources and reviews: what is asked of an object beside reading and writing it, one file a subject."""
