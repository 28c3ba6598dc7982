"""What migrations create by hand, because no model of ours declares it; and the findings of the catalog lint."""

from __future__ import annotations

from dataclasses import dataclass

from vibe.core.db.roles import STAFF, SUPPORT, SYSTEM

ALL_VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")

# Grants of the tables of Django, axes and procrastinate.
FRAMEWORK_GRANTS = frozenset(
    (table, role, verb, "")
    for role, verbs, tables in (
        (SUPPORT, ALL_VERBS, ("django_session", "axes_accessattempt", "axes_accesslog", "axes_accessfailurelog")),
        (SUPPORT, ALL_VERBS, ("axes_accessattemptexpiration",)),
        (SUPPORT, ("SELECT", "INSERT"), ("django_admin_log",)),
        (SUPPORT, ("SELECT",), ("django_content_type", "auth_group", "auth_permission", "auth_group_permissions")),
        (SUPPORT, ("SELECT",), ("users_groups", "users_user_permissions")),
        (SUPPORT, ("SELECT",), ("procrastinate_jobs", "procrastinate_events", "procrastinate_workers")),
        (STAFF, ("SELECT",), ("django_content_type", "auth_group", "auth_permission", "auth_group_permissions")),
        (STAFF, ALL_VERBS, ("users_groups", "users_user_permissions")),
        (SYSTEM, ("SELECT", "DELETE"), ("django_admin_log",)),
        (SYSTEM, ALL_VERBS, ("procrastinate_jobs", "procrastinate_events", "procrastinate_workers")),
        (SYSTEM, ALL_VERBS, ("procrastinate_periodic_defers",)),
    )
    for table in tables
    for verb in verbs
)
SEQUENCE_USERS = (SUPPORT, STAFF, SYSTEM)  # who may have USAGE on a sequence, and nothing more

APPEND_ONLY = {
    "refuse_change": (
        "CREATE TRIGGER {name} BEFORE DELETE OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_refuse()"
    ),
    "refuse_truncate": (
        "CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    ),
}
# The triggers of each table, as pg_get_triggerdef writes them.
TRIGGERS = {
    "audit_logs": APPEND_ONLY,
    "audit_leaves": APPEND_ONLY,
    "audit_checkpoints": APPEND_ONLY,
    "audit_prunings": APPEND_ONLY,
    "access_grants": {
        "access_grants_forward": (
            "CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION access_grants_forward()"
        )
    },
    "users": {
        "users_leave_by_erasure": (
            "CREATE TRIGGER {name} BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION users_leave_by_erasure()"
        )
    },
    "user_keys": {
        "user_keys_destroyed_first": (
            "CREATE TRIGGER {name} BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION user_keys_destroyed_first()"
        )
    },
    "erasures": {
        "erasures_stay": (
            "CREATE TRIGGER {name} BEFORE DELETE OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION erasures_stay()"
        )
    },
}
# On a cluster a change and its row of the audit log are committed together: see vibe.core.db.scale.distribution.plan.
# A backup of one brings it along, and elsewhere it does nothing.
TWO_PHASES = "audit_logs_in_two_phases"
IN_TWO_PHASES = (
    f"CREATE TRIGGER {TWO_PHASES} AFTER INSERT ON audit_logs "
    "FOR EACH STATEMENT EXECUTE FUNCTION vibe_cluster.commit_in_two_phases()"
)
# The functions of the triggers: the migration, the SHA-256 of the body, and the settings that it runs with:
# without pg_temp at the end, temporary tables would be looked up first.
FUNCTIONS = {
    "access_grants_forward": (
        "accounts.0003_grants_move_forward",
        "b81d69355ee446ffea6f2df0697ff4afd42f6201897793acc0730d077e3bf307",
        "search_path=pg_catalog, public, pg_temp",
    ),
    "audit_refuse": (
        "audit.0001_trail",
        "c9c76cf85ac1d65171538e54bad56acc7d4d9156ef1fc6cba6b78d652fed7b3a",
        "search_path=pg_catalog, pg_temp",
    ),
    "erasures_stay": (
        "accounts.0007_takeout",
        "439334289419d9b49513f912446dc5710fc7ca9e779ad7613ce9405569b38ad2",
        "search_path=pg_catalog, public, pg_temp",
    ),
    "user_keys_destroyed_first": (
        "accounts.0012_keys_first_on_every_shard",
        "a1303e53d58e962d149cdcf1139582b6e2ce45edfac7cecf49596f56142a1df4",
        "search_path=pg_catalog, public, pg_temp",
    ),
    "users_leave_by_erasure": (
        "accounts.0012_keys_first_on_every_shard",
        "fa14c0912d16de7f612d2ab67697d22b6ae548263477db7ad7c6590d9e9c9a3a",
        "search_path=pg_catalog, public, pg_temp",
    ),
}

# The server's own schemas, which nobody else can make.
SYSTEM_SCHEMA = "(nspname ~ '^pg_' OR nspname = 'information_schema')"
# $ours in statements: relations (`c`) that a scope's role could reach and that are not of an extension. The role has
# USAGE on the schema; the schema `public` always counts. The parameter `roles` names the roles.
OURS = (
    "EXISTS (SELECT FROM pg_namespace n, unnest(%(roles)s::text[]) AS scope WHERE n.oid = relnamespace "  # noqa: S608
    f"AND NOT {SYSTEM_SCHEMA} AND (nspname = 'public' OR has_schema_privilege(scope, n.oid, 'USAGE'))) "
    "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid "
    "AND d.deptype = 'e')"
)
# PostgreSQL 14 calls a partition's copy of a trigger internal, as it does those of foreign keys.
OWN_TRIGGER = "(NOT t.tgisinternal OR (t.tgparentid <> 0 AND t.tgconstraint = 0))"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A fault in the catalog, and what to type. It holds names, never a condition."""

    what: str
    where: str
    do: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
