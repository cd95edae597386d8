"""Subresources and reviews, one file each."""
