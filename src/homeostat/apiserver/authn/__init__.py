"""Authentication: certificates, service account tokens, bootstrap tokens; and the keys by which others verify ours."""
