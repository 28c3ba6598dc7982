"""Every statement of the product would go to one shard of a database distributed by user_id.

The whole suite is watched (tests.statements); here the watcher itself is tried: what it must refuse, and that it looks.
"""

import pytest
from django.db import connection

from memories.models import Conversation, Memory
from tests import statements
from tests.routing import faults
from vibe.core.db.scopes import as_user

OWNED = {"conversations", "encrypted_memories", "stories", "passages"}
ROUTED = [
    "SELECT * FROM stories WHERE user_id = %s",
    "SELECT * FROM stories s JOIN passages p ON p.story_id = s.id AND p.user_id = s.user_id WHERE s.user_id = %s::uuid",
    "SELECT 1 FROM stories U WHERE U.user_id = %s AND EXISTS (SELECT 1 FROM passages V WHERE V.user_id = U.user_id)",
    "UPDATE stories SET title = %s WHERE id = %s AND user_id = %s",
    "UPDATE stories s SET title = g.title FROM unnest(%s, %s) AS g(user_id, title) WHERE s.user_id = g.user_id",
    "DELETE FROM passages WHERE user_id = %b AND story_id = %b RETURNING speaker",
    "INSERT INTO stories (id, user_id) VALUES (%s, %s) ON CONFLICT (user_id, id) DO NOTHING",
    "INSERT INTO stories (id, user_id) SELECT id, user_id FROM conversations c WHERE c.user_id = %s",
    "SELECT p.id FROM passages p, (SELECT user_id, id FROM stories WHERE user_id = %s) s WHERE p.user_id = s.user_id",
    "SELECT s.id FROM stories s JOIN users u ON u.id = s.user_id WHERE u.id = %s",
    "SET LOCAL enable_seqscan = off; SELECT 1 FROM stories WHERE user_id = 'x'::uuid; SELECT 1",
]
LOST = [
    "SELECT * FROM stories",
    "SELECT * FROM stories WHERE id = %s",
    "SELECT * FROM stories WHERE user_id = %s OR id = %s",
    "SELECT * FROM stories s JOIN passages p ON p.story_id = s.id WHERE s.user_id = %s",
    "SELECT 1 FROM stories WHERE user_id = %s AND id IN (SELECT story_id FROM passages WHERE memory_id = %s)",
    "UPDATE stories SET title = %s WHERE id = %s",
    "UPDATE stories SET user_id = %s WHERE id = %s AND user_id = %s",
    "DELETE FROM passages WHERE story_id = %s",
    "INSERT INTO stories (id) VALUES (%s)",
    "INSERT INTO stories (id, user_id) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING",
]
NOT_EVEN_BY_THE_HOUSE = [
    "SELECT 1 FROM stories WHERE id = %s FOR UPDATE",
    "SELECT 1 FROM stories s JOIN passages p ON p.story_id = s.id",
    "UPDATE stories SET title = %s WHERE id = %s",
    "DELETE FROM passages",
]


@pytest.mark.parametrize("statement", ROUTED)
def test_a_statement_that_names_its_owner_passes(statement):
    assert faults(statement, OWNED, person=True) == []
    assert faults(statement, OWNED, person=False) == []


@pytest.mark.parametrize("statement", LOST)
def test_a_statement_that_does_not_is_refused(statement):
    assert faults(statement, OWNED, person=True)


@pytest.mark.parametrize("statement", NOT_EVEN_BY_THE_HOUSE)
def test_other_scopes_may_read_over_everybody_but_not_write_lock_or_join(statement):
    assert faults(statement, OWNED, person=False)
    assert faults("SELECT count(*) FROM stories", OWNED, person=False) == []
    assert faults("SELECT id FROM stories UNION ALL SELECT id FROM passages", OWNED, person=False) == []
    assert faults("UPDATE axes_attempts SET user_id = %s WHERE id = %s", OWNED, person=False) == []


def test_the_suite_is_watched(ada, tell):
    """The product's statements of this very test were seen, and one that fails would be told."""
    tell(ada, "watched", [("Ada", "I moved to Lisbon.")])
    seen = " ".join(statement for person, statement in statements.passed if person)
    assert 'INSERT INTO "encrypted_memories"' in seen
    with as_user(ada):
        list(Conversation.objects.filter(external_id="watched"))
        assert statements.complaints == [], "what a test itself asks is not the product's"
        with statements.as_if_the_product_asked():
            list(Memory.objects.filter(message_ids__contains=["m1"]))
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        assert len(statements.complaints) == 1
        assert "encrypted_memories" in statements.complaints.pop()
