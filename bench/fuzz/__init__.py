"""Random requests against one API server: valid objects mutated, every verb, kind and content type, several identities.

    python -m bench.fuzz --requests 20000 --seed N

Request number K of seed N is always the same bytes, whatever came before it; what it meets depends on those before.
"""
