"""Attack: each policy of each role is widened, handed on, dropped or joined by another. The lint names it each time.

The policies are those of the catalog, so that a new table or role is attacked too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from accounts.models import User
from tests.attacks.corpus import FULL
from tests.test_doctor import found, mend
from vibe.core.db.roles import ALL, SIGN_IN, USER
from vibe.core.db.schema.catalog_lint import findings
from vibe.core.db.schema.constraints import RowSecurity, declared
from vibe.core.db.scopes import as_sign_in
from vibe.doctor import schema

THERE = """
SELECT tablename, policyname, roles[1], qual, with_check FROM pg_policies WHERE schemaname = 'public' ORDER BY 1, 2
"""
DROPPED = "DROP POLICY {name} ON {table}"
ANEW = f"{DROPPED}; CREATE POLICY {{name}} ON {{table}}"
WIDENED = {
    "reads everybody": "ALTER POLICY {name} ON {table} USING (true)",
    "writes for everybody": "ALTER POLICY {name} ON {table} WITH CHECK (true)",
    "both": "ALTER POLICY {name} ON {table} USING (true) WITH CHECK (true)",
    "a further way in": "ALTER POLICY {name} ON {table} USING ({using} OR current_user = 'vibe_words')",
    "looks the same": "ALTER POLICY {name} ON {table} USING ({using} OR true) WITH CHECK ({using})",
    "another role": "ALTER POLICY {name} ON {table} TO {other}",
    "one role more": "ALTER POLICY {name} ON {table} TO {role}, {other}",
    "everybody": "ALTER POLICY {name} ON {table} TO PUBLIC",
    "dropped": DROPPED,
    "for reading alone": f"{ANEW} FOR SELECT TO {{role}} USING ({{using}})",
    "restricts": f"{ANEW} AS RESTRICTIVE TO {{role}} USING ({{using}}) WITH CHECK ({{check}})",
    "renamed": "ALTER POLICY {name} ON {table} RENAME TO {more}",
}
ADDED = {
    "a policy more": "CREATE POLICY {more} ON {table} TO {role} USING (true)",
    "a policy of a stranger": "CREATE POLICY {more} ON {table} TO stranger USING (true)",
    "a policy of everybody": "CREATE POLICY {more} ON {table} TO PUBLIC USING (true)",
    "a policy more, restricting": "CREATE POLICY {more} ON {table} AS RESTRICTIVE TO {role} USING (true)",
    "a policy more for writing": "CREATE POLICY {more} ON {table} FOR INSERT TO {role} WITH CHECK (true)",
}


Row = tuple[str, str, str, str, str]  # table, policy, role, and both conditions


@pytest.fixture
def there(db) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE stranger")
        cursor.execute(THERE)
        return cursor.fetchall()


@contextmanager
def done(statements: list[str]) -> Iterator[None]:
    """Statements that have not been, afterwards."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("; ".join(statements))
        yield
        transaction.set_rollback(True)


def in_turn(policies: list[Row]) -> list[list[Row]]:
    """Each alone in the full corpus; otherwise all of them at once, each still to be named."""
    return [[policy] for policy in policies] if FULL else [policies]


def written(deed: str, policy: Row, number: int = 0) -> str:
    """A deed against one policy."""
    table, name, role, using, check = policy
    other = next(each for each in ALL if each != role)
    return deed.format(
        table=table, name=name, role=role, using=using, check=check, other=other, more=f"another_{number}"
    )


def test_the_policies_attacked_are_those_of_all_the_roles_that_have_any(there):
    assert {role for _, _, role, *_ in there} == set(ALL)
    assert len(there) == sum(1 + len(wall.others) for _, wall in declared(RowSecurity)) > 50


@pytest.mark.parametrize("deed", WIDENED)
def test_each_policy_of_each_role_widened_is_named(there, deed, record_property):
    changed = [
        row for row in there if row[3] != "true" or deed not in ("reads everybody", "writes for everybody", "both")
    ]
    for policies in in_turn(changed):
        with done([written(WIDENED[deed], each, number) for number, each in enumerate(policies)]):
            named = {each.where: str(each) for each in findings()}
        assert {where for where in named if ".another_" not in where} == {f"{t}.{n}" for t, n, *_ in policies}
        for table, name, role, *_ in policies:
            assert role in named[f"{table}.{name}"]
    record_property("figure", f"{len(changed)} policies: {deed}")


@pytest.mark.parametrize("deed", ADDED)
def test_a_policy_added_beside_each_is_named(there, deed):
    whose = {"stranger": "stranger", "everybody": "PUBLIC"}
    for policies in in_turn(there):
        with done([written(ADDED[deed], each, number) for number, each in enumerate(policies)]):
            named = {each.where: str(each) for each in findings()}
        assert len(named) == len(policies)
        for number, (table, _, role, *_) in enumerate(policies):
            named_role = next((whose[word] for word in whose if word in deed), role)
            assert f" policy of {named_role} that no model declares" in named[f"{table}.another_{number}"]


def test_what_doctor_says_mends_each(there):
    for deed in ("both", "everybody", "dropped", "restricts"):
        policy = next(row for row in there if row[2] == SIGN_IN and row[0] == "users")
        with done([written(WIDENED[deed], policy)]):
            assert SIGN_IN in found(schema.rights)[0]
            mend(schema.rights)


def test_the_condition_of_a_policy_is_not_repeated(there):
    with done(["ALTER POLICY users_walls_vibe_sign_in ON users USING (email = 'ada@example.com')"]):
        [finding] = findings()
    assert "ada@" not in f"{finding} {finding.do}"


def test_the_widened_sign_in_opens_every_account(person):
    """The control: what is named is a real way in, which a look at vibe_user's policies alone does not see."""
    for name in ("ada", "jonas", "mira"):
        person(name)
    with as_sign_in("nobody"):
        assert User.objects.count() == 0
    assert findings() == []
    with done(["ALTER POLICY users_walls_vibe_sign_in ON users USING (true) WITH CHECK (true)"]):
        with as_sign_in("nobody"):
            assert User.objects.count() == 3
        of_people = [each for each in findings() if f"policy of {USER}" in each.what]
        [named] = map(str, findings())
    assert of_people == []
    assert (
        named == "users.users_walls_vibe_sign_in: the policy of vibe_sign_in differs from its model: USING, WITH CHECK"
    )


def test_words_mean_the_servers_own_functions(db):
    """A function of the same name that the session finds first is no way to have two conditions read alike."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION public.current_setting(text, boolean) RETURNS text LANGUAGE sql STABLE AS "
            "$$SELECT '00000000-0000-0000-0000-000000000000'$$"
        )
        cursor.execute("SET LOCAL search_path = public, pg_catalog")
        own = "user_id = nullif(current_setting('vibe.user_id', true), '')::uuid"
        cursor.execute(f"ALTER POLICY stories_walls_vibe_user ON stories USING ({own}) WITH CHECK ({own})")
    assert [each.where for each in findings()] == ["stories.stories_walls_vibe_user"]


def test_nothing_of_the_lint_stays(db):
    findings()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_temp.vibe_declared'), current_setting('search_path')")
        assert cursor.fetchone() == (None, '"$user", public')
