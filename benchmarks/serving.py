"""The web server's worker against gunicorn's own: throughput, and who is answered while clients stop half-way.

    python -m benchmarks.serving [--turns 10] [--seconds 3] [--stopped 500]

Two servers of one process and eight threads each on one database, and eight clients of one of them at a time, in turns:
ours, gthread, ours … `requests_a_second` are medians, `times_gthread` is the median of the ratios of neighbouring
turns, and so is that of the processor's time that a request takes the server. Then, in each server, so many connections
that stop in a header, in a body or in reading an answer, and the slowest of ten probes meanwhile.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import show, throw_away_database
from benchmarks.replicas import url
from tests.attacks.test_half_sent import HALVES, half_sent, seconds_of_a_probe
from tests.installation import FREE
from tests.servers import Server, serving, started_by

CLIENTS = 8
GTHREAD = {"DJANGO_SETTINGS_MODULE": "tests.attacks.unprotected", "WITHOUT": "buffers"}
PROBES = ("/livez", "/readyz") * 5
PROBE_SECONDS = 5.0  # then one is given up
SAID = json.dumps({"author": "Ada", "text": "I moved to Lisbon last Friday, with Ines and the cat."})


class Request(NamedTuple):
    """What http.client sends."""

    method: str
    path: str
    body: str | None
    headers: dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10, help="turns of each server")
    parser.add_argument("--seconds", type=float, default=3, help="how long a turn is")
    parser.add_argument("--stopped", type=int, default=500, help="connections that stop half-way")
    options = parser.parse_args()
    with throw_away_database() as folder, both(folder) as servers:
        show(
            {
                "throughput": throughput(servers, options.turns, options.seconds),
                "slowest_probe_s": {
                    name: {half: slowest_probe(server, half, options.stopped) for half in HALVES}
                    for name, server in servers.items()
                },
            }
        )


@contextmanager
def both(folder: Path) -> Iterator[dict[str, Server]]:
    """Our worker and gunicorn's, each serving."""
    environments = {"ours": {}, "gthread": GTHREAD}
    with ExitStack() as held:
        servers = {
            name: held.enter_context(serving(url("vibe"), folder / name, **FREE, **environment))
            for name, environment in environments.items()
        }
        for server in servers.values():
            server.wait_ready()
        yield servers


def throughput(servers: dict[str, Server], turns: int, seconds: float) -> dict[str, Any]:
    """Each kind of request, on connections that are kept and on one for each request."""
    from accounts.authentication import local_tokens

    headers = {
        "Authorization": f"Bearer {local_tokens.issue(uid='measured', email=None, seconds=86_000)}",
        "Content-Type": "application/json",
    }
    _, made = servers["ours"].post("/api/v1/conversations", b'{"title": "Moving"}', **headers)
    memories = f"/api/v1/conversations/{json.loads(made)['id']}/memories"
    kinds = {"read": ("GET", "/api/v1/me", None), "add a memory": ("POST", memories, SAID)}
    result = {}
    for name, request in kinds.items():
        for kept in (True, False):
            sent = {**headers, "Connection": "keep-alive" if kept else "close"}
            rounds = [
                {which: turn(server, Request(*request, sent), seconds) for which, server in servers.items()}
                for _ in range(turns + 1)
            ][1:]  # the first warms up
            result[f"{name}, {'connections kept' if kept else 'a connection each'}"] = compared(rounds)
    return result


def compared(rounds: list[dict[str, tuple[float, float]]]) -> dict[str, Any]:
    """Medians of the rate and of the processor's time, and of the ratios of each round."""
    return {
        "requests_a_second": {name: statistics.median(each[name][0] for each in rounds) for name in rounds[0]},
        "times_gthread": statistics.median(each["ours"][0] / each["gthread"][0] for each in rounds),
        "processor_ms": {name: statistics.median(1000 * each[name][1] for each in rounds) for name in rounds[0]},
        "processor_times_gthread": statistics.median(each["ours"][1] / each["gthread"][1] for each in rounds),
    }


def turn(server: Server, request: Request, seconds: float) -> tuple[float, float]:
    """Requests a second, and seconds of the processor that the server takes for one."""
    counts = [0] * CLIENTS
    end = time.monotonic() + seconds

    def ask(number: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", server.port)
        while time.monotonic() < end:
            client.request(*request)
            answer = client.getresponse()
            answer.read()
            assert answer.status < 300, answer.status
            counts[number] += 1
        client.close()

    before, start = processor_seconds(server), time.monotonic()
    threads = [threading.Thread(target=ask, args=[number]) for number in range(CLIENTS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    done = sum(counts)
    return done / (time.monotonic() - start), (processor_seconds(server) - before) / done


def processor_seconds(server: Server) -> float:
    """What the server's processes have taken (proc_pid_stat(5)), without PostgreSQL's."""
    told = [
        Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in started_by(server.process.pid)
    ]
    return sum(int(each[11]) + int(each[12]) for each in told) / os.sysconf("SC_CLK_TCK")


def slowest_probe(server: Server, half: str, count: int) -> float | None:
    """The slowest probe meanwhile in seconds; None where one is not answered."""
    with half_sent(server.port, HALVES[half], count):
        try:
            return max(seconds_of_a_probe(server.port, path, PROBE_SECONDS) for path in PROBES)
        except OSError:
            return None


if __name__ == "__main__":
    main()
