"""Random objects of a kind, made from its schema: what the property tests feed to decoding and defaulting."""

from homeostat.api.shape.schema import schema_of

TEXTS = ["", "a", "b", "RollingUpdate", "ClientIP", "LoadBalancer", "Container", "User", "None"]
QUANTITIES = ["1", "1500m", "0.5", "128Mi", "1024Ki", "2e3"]


def any_object(kind, random):
    """One object of `kind`; about half of its fields are there, at any depth up to ten."""
    return _value(schema_of(kind), random, 10)


def _value(place, random, depth):
    if place.preserve_unknown:
        return {"x": random.choice(TEXTS)}
    if place.type == "array":
        return [_value(place.items, random, depth - 1) for _ in range(random.choice((0, 1, 2)) if depth > 0 else 0)]
    if place.values is not None:
        return {key: _value(place.values, random, depth - 1) for key in random.sample(TEXTS[1:], random.choice((0, 2)))}
    if place.type == "object":
        fields = place.properties.items() if depth > 0 else ()
        share = 0.5 if depth > 8 else 0.25
        return {name: _value(child, random, depth - 1) for name, child in fields if random.random() < share}
    return _scalar(place, random)


def _scalar(place, random):
    if place.is_quantity:
        return random.choice(QUANTITIES)
    if place.is_int_or_string:
        return random.choice((0, 1, 80, "http", "25%"))
    if place.format == "date-time":
        return "2026-01-01T00:00:00Z"
    if place.format == "byte":
        return "aGVsbG8="
    if place.type == "integer":
        return random.choice((0, 1, 7))
    if place.type == "number":
        return random.choice((0.5, 2))
    if place.type == "boolean":
        return random.random() < 0.5
    return random.choice(TEXTS)
