"""Properties here are judged by what they give, never by how long a loaded machine takes."""

from hypothesis import settings

settings.register_profile("dns", deadline=None, max_examples=50)
settings.load_profile("dns")
