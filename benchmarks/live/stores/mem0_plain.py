"""mem0 on pgvector, told to store what is said as it is (`infer=False`): no language model is asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import md5
from typing import Any
from uuid import uuid4

os.environ |= {"MEM0_TELEMETRY": "False", "MEM0_DIR": os.environ["PEER_FOLDER"], "OPENAI_API_KEY": "unused"}

from mem0 import Memory
from mem0.configs.base import MemoryConfig
from mem0.utils.lemmatization import lemmatize_for_bm25
from pipe import run

from stories.processors.embedding import OfflineEmbedder


class OurModel:
    """The same model for all, in the place of mem0's."""

    def __init__(self) -> None:
        self.model, self.config = OfflineEmbedder(), None

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        given: list[float] = self.model.embed([text])[0].tolist()
        return given

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        given: list[list[float]] = self.model.embed(texts).tolist()
        return given


class Mem0:
    def __init__(self) -> None:
        store = {
            "collection_name": "said", "embedding_model_dims": 512, "diskann": False, "hnsw": True,
            "connection_string": os.environ["PEER_DSN"],
        }  # fmt: skip
        self.memory: Any = Memory(
            MemoryConfig(
                vector_store={"provider": "pgvector", "config": store},
                history_db_path=os.path.join(os.environ["PEER_FOLDER"], "history.db"),  # noqa: PTH118
            )
        )
        self.memory.embedding_model = OurModel()

    def fill(self, person: str, texts: Sequence[str]) -> None:
        """What `add` writes for each, in one go."""
        now = datetime.now(UTC).isoformat()
        rows = [
            {
                "user_id": person,
                "role": "user",
                "data": text,
                "hash": md5(text.encode(), usedforsecurity=False).hexdigest(),
                "created_at": now,
                "updated_at": now,
                "text_lemmatized": lemmatize_for_bm25(text),
            }
            for text in texts
        ]
        self.memory.vector_store.insert(
            vectors=self.memory.embedding_model.embed_batch(texts), payloads=rows, ids=[str(uuid4()) for _ in rows]
        )

    def add(self, person: str, text: str) -> str:
        made = self.memory.add([{"role": "user", "content": text}], user_id=person, infer=False)
        return str(made["results"][0]["id"])

    def search(self, person: str, question: str, limit: int) -> list[str]:
        found = self.memory.search(question, top_k=limit, filters={"user_id": person}, threshold=0.0)
        return [str(each["id"]) for each in found["results"]]


run(Mem0())
