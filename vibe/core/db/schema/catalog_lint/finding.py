"""Findings of the catalog lint."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A fault in the catalog, and what to type. It holds names, never a condition."""

    what: str
    where: str
    do: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
