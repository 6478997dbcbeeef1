"""A repository of any other software: simple Dublin Core, sets as departments, nothing odd."""

from explorer.sources.oai_platforms import Accent

ACCENT = Accent()
