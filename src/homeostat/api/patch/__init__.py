"""The patch forms that clients send: JSON Patch, merge patch, strategic merge patch."""
