"""The offline embedder under another name: to whoever is configured with it, all that is stored has to be embedded."""

from stories.processors.embedding import OfflineEmbedder


class Renamed(OfflineEmbedder):
    name = "renamed"
