"""Actions of the audit log in words, and the kinds of actions that people ask for."""

from __future__ import annotations

from typing import Final

from django.db.models import Q

WORDS: Final = {
    "content.read": "Read content under a grant",
    "grant.ask": "Asked to read content",
    "grant.approve": "Approved a request to read content",
    "grant.refuse": "Refused a request to read content",
    "grant.end": "Ended access to content",
    "memories.search": "Searched memories",
    "memories.filter": "Listed memories by what is noted of them",
    "memories.add": "Added memories",
    "memories.index": "Indexed memories",
    "memory.change": "Changed a memory",
    "memory.delete": "Deleted a memory",
    "conversation.create": "Began a conversation",
    "conversation.change": "Changed a conversation",
    "conversation.archive": "Archived a conversation",
    "conversation.unarchive": "Unarchived a conversation",
    "conversation.delete": "Deleted a conversation",
    "conversations.import": "Imported conversations",
    "conversations.import_file": "Imported a file of conversations",
    "stories.search": "Searched stories",
    "stories.list": "Listed stories",
    "story.read": "Read a story",
    "story.build": "Built a story",
    "story.rebuild": "Had a story built again",
    "story.correct": "Corrected a story",
    "story.delete": "Deleted a story",
    "story.remove": "Removed a story that has no memories any more",
    "fact.read": "Read a fact",
    "fact.correct": "Corrected a fact",
    "fact.forget": "Had a fact forgotten",
    "facts.list": "Listed facts",
    "context.read": "Read what is known, for a companion",
    "entities.list": "Listed people, places or events",
    "export.request": "Asked for an export",
    "export.make": "Made an export",
    "export.fail": "Could not make an export",
    "export.download": "Fetched an export",
    "export.remove": "Removed an expired export",
    "erasure.request": "Asked for an erasure",
    "erasure.approve": "Approved an erasure",
    "erasure.refuse": "Refused an erasure",
    "erasure.cancel": "Cancelled an erasure",
    "erasure.begin": "Began an erasure",
    "erasure.finish": "Erased the person",
    "erasure.again": "Erased the person again, after a restore",
    "person.create": "Made the account",
    "person.email": "Changed the email address",
    "person.deactivate": "Deactivated the account",
    "person.reactivate": "Reactivated the account",
    "person.restrict": "Restricted the processing of the person's data",
    "person.lift-restriction": "Lifted the restriction of processing",
    "person.sign-out": "Signed the person out everywhere",
    "preferences.change": "Changed preferences",
    "keys.renew": "Renewed the data key",
    "keys.rotate": "Rotated the master key",
    "keys.destroy": "Destroyed the data keys",
    "vectors.keep": "Kept vectors of a new model",
    "search_set.exchange": "Exchanged the vectors that are searched",
    "search_set.move": "Changed how the index is searched",
    "lineage.check": "Checked what stories were made from",
    "staff.create": "Made an account of staff",
    "staff.change": "Changed an account of staff",
    "staff.one_time_code": "Gave an account of staff an app for one-time codes, or a sign-in code",
    "staff.recovery_codes": "Made new recovery codes",
    "api-key.make": "Made an API key",
    "api-key.approve": "Approved an API key",
    "api-key.revoke": "Revoked an API key",
    "webhook.make": "Made a webhook",
    "webhook.change": "Changed a webhook",
    "webhook.rotate": "Gave a webhook a new secret",
    "webhook.delete": "Deleted a webhook",
    "webhook.disable": "Disabled a webhook",
    "webhook.redeliver": "Had a webhook's delivery sent again",
    "audit.export": "Exported the audit log",
    "audit.prune": "Pruned the audit log",
    "audit.verify": "Verified the audit log",
    "job.retry": "Had failed jobs tried again",
    "sign-in": "Signed in to the admin",
    "sign-out": "Signed out of the admin",
    "admin:index": "Opened the admin's home page",
    "admin:search": "Searched the admin",
    "admin:password_change": "Opened the form for their own password",
    "admin:auth_user_password_change": "Opened the form for a password of staff",  # nosec B105
    "admin:retry_failed_jobs": "Opened the question before jobs are tried again",
    "admin:login": "Opened the sign-in page",
    "admin:why_not_found": "Looked at the person's index",
    "admin:queues": "Looked at the queues",
    "admin:database_health": "Looked at the database's health",
    "admin:one_time_codes": "Looked at their own one-time codes",
    "admin:add_one_time_device": "Opened the form that adds an authenticator app",
    "admin:make_recovery_codes": "Opened the form that makes recovery codes",
    "admin:accounts_apikey_add": "Opened the form for an API key",
    "admin:accounts_webhookendpoint_make": "Opened the form for a webhook",
    "admin:accounts_webhookendpoint_edit": "Opened the form that changes a webhook",
    "admin:accounts_erasure_receipt": "Downloaded the receipt of an erasure",
    "admin:accounts_erasure_check": "Checked the receipt of an erasure",
    "admin:accounts_accessgrant_ask": "Opened the form that asks to read content",
}
ENDINGS: Final = {
    "_changelist": "Looked at a list of metadata: {}",
    "_change": "Looked at a page of metadata: {}",
    "_do": "Opened the question before an action: {}",
    "_csv": "Downloaded a list: {}",
    "_add": "Opened the form for a new one: {}",
    "_history": "Looked at the history: {}",
    "_delete": "Asked whether it can be deleted: {}",
}
CHANGES: Final = (
    *("memories.add", "memory.change", "memory.delete", "conversations.import"),
    *("conversation.create", "conversation.change", "conversation.archive", "conversation.unarchive"),
    *("conversation.delete", "story.correct", "story.delete", "story.rebuild", "preferences.change", "person.email"),
    *("fact.correct", "fact.forget"),
    *("person.deactivate", "person.reactivate", "person.restrict", "person.lift-restriction", "person.sign-out"),
    *("erasure.request", "erasure.cancel"),
    *("erasure.approve", "erasure.refuse", "erasure.finish", "keys.destroy"),
)
KINDS: Final[dict[str, tuple[str, Q]]] = {
    "content": ("Content read by staff", Q(action="content.read", actor_kind="staff")),
    "staff": ("Anything done by staff", Q(actor_kind="staff")),
    "exports": ("Exports", Q(action__startswith="export.") | Q(action="audit.export")),
    "changes": ("Changes", Q(action__in=CHANGES)),
    "sign-ins": ("Sign-ins", Q(action__in=("sign-in", "sign-out"))),
}


def action_in_words(action: str) -> str:
    """Return what an action is, in words; requests that have none of their own by the name of their route."""
    if known := WORDS.get(action):
        return known
    method, _, route = action.rpartition(" ")
    where, _, name = route.partition(":")
    if where == "api" and name:
        return f"Through the API: {name.replace('_', ' ')}"
    if where != "admin":
        return action
    for ending, words in ENDINGS.items():
        if name.endswith(ending):
            table = name.removesuffix(ending).partition("_")[2]
            return (f"Sent a form: {table}" if method else words.format(table)).strip()
    return f"{'Sent a form' if method else 'Opened a page'}: {name.replace('_', ' ')}"
