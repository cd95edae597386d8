"""Properties here are judged by what they give, never by how long a loaded machine takes."""

from hypothesis import settings

settings.register_profile("rules", deadline=None, max_examples=60)
settings.load_profile("rules")
