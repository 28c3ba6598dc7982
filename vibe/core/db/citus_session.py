"""Session settings where the extension Citus is installed."""

from __future__ import annotations

from typing import Any

THERE = "SELECT FROM pg_extension WHERE extname = 'citus'"
DISTRIBUTED = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('users'))"

# SET LOCAL reaches the shards. A change of several shards goes from one to the next, so that it may also change
# `users`, which each of them refers to. Triggers are on every shard, safe for ours: they read nothing but the row.
CLUSTER = {
    "citus.propagate_set_commands": "local",
    "citus.multi_shard_modify_mode": "sequential",
    "citus.enable_unsafe_triggers": "on",
    "citus.node_connection_timeout": "2000",
}
# Until the tables are distributed, nothing of ours concerns the workers.
ALONE = {"citus.enable_ddl_propagation": "off"}


def prepare_session(cursor: Any) -> bool:
    """Set up a new session. Return whether people's rows are on shards."""
    if cursor.execute(THERE).fetchone() is None:
        return False
    distributed = bool(cursor.execute(DISTRIBUTED).fetchone()[0])
    for name, value in (CLUSTER if distributed else ALONE).items():
        cursor.execute(f"SET {name} = {value}")
    return distributed
