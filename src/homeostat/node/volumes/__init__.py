"""A Pod's files: makes volumes, fills them from ConfigMaps, Secrets and tokens, keeps them current, removes them."""
