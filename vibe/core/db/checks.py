"""System checks of what the policies need: forgetting one is an error at start, not a leak later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections, models

from vibe.core.crypto.fields import SealedColumn
from vibe.core.db.roles import SUPPORT
from vibe.core.db.schema.constraints import CompositeReference, Privileges, RowSecurity
from vibe.core.db.schema.owned import OwnedForeignKey, UserOwned

FRAMEWORKS = {"django", "procrastinate", "axes"}  # whose tables refer to staff, and hold no person's rows


@register()
def user_owned_models_are_walled(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Check that every model of people's rows has forced row-level security and composite references."""
    return [
        problem
        for model in apps.get_models()
        if app_configs is None or model._meta.app_config in app_configs
        for problem in problems_of(model)
    ]


@register(Tags.database)
def login_role_is_bound(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """Warn of a login role that no policy restricts outside of scopes, such as a superuser."""
    return [message for alias in databases or () for message in unrestricted_login_roles(connections[alias])]


def unrestricted_login_roles(connection: Any) -> Iterator[CheckMessage]:
    """Yield a warning if the login role bypasses row-level security."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls, current_user FROM pg_roles WHERE rolname = current_user")
        passes, user = cursor.fetchone()
    if passes:
        yield Warning(
            f"The database user '{user}' passes row-level security by, outside of scopes.",
            hint="Give Vibe a user of its own: CREATE ROLE vibe LOGIN CREATEROLE PASSWORD '...'; "
            "and make it the owner of the database and its tables.",
            id="vibe.W001",
        )


def problems_of(model: type[models.Model]) -> Iterator[CheckMessage]:
    """Yield an error for each thing that a model lacks."""
    walls = list(model._meta.constraints)
    if issubclass(model, UserOwned):
        if not any(isinstance(wall, RowSecurity) for wall in walls):
            yield Error(
                f"{model._meta.label} holds people's rows but has no RowSecurity.",
                hint="Add RowSecurity(name=...) to Meta.constraints and run makemigrations.",
                obj=model,
                id="vibe.E001",
            )
        yield from unwalled_references(model, walls)
    elif is_ours(model):
        yield from owners_without_walls(model)
    yield from readable_sealed_columns(model, walls)


def is_ours(model: type[models.Model]) -> bool:
    """Return whether the model is of this project, and not a framework's or a many-to-many table that Django made."""
    return not model._meta.auto_created and model.__module__.partition(".")[0] not in FRAMEWORKS


def owners_without_walls(model: type[models.Model]) -> Iterator[CheckMessage]:
    """Yield an error for each reference to a person, or into a person's rows, from a model that is not UserOwned."""
    for field in (*model._meta.local_fields, *model._meta.local_many_to_many):
        target = field.related_model
        if isinstance(target, type) and (target is get_user_model() or issubclass(target, UserOwned)):
            yield Error(
                f"{model._meta.label}.{field.name} refers to a person, but {model._meta.object_name} is not UserOwned.",
                hint="Derive the model from UserOwned and give it RowSecurity and a CompositeReference.",
                obj=model,
                id="vibe.E004",
            )


def unwalled_references(model: type[models.Model], walls: list[Any]) -> Iterator[CheckMessage]:
    """Yield an error for each reference inside people's rows that could point at another person's."""
    carried = {wall.columns for wall in walls if isinstance(wall, CompositeReference)}
    for field in (*model._meta.local_fields, *model._meta.local_many_to_many):
        if isinstance(field, OwnedForeignKey) and ("user_id", field.column) in carried:
            continue
        if field.is_relation and field.name == "user":
            if any("user_id" in columns for columns in carried):
                continue
        elif not (field.is_relation and field.related_model and issubclass(field.related_model, UserOwned)):
            continue
        yield Error(
            f"{model._meta.label}.{field.name} is a reference without its owner.",
            hint="Use OwnedForeignKey and add CompositeReference(columns=('user_id', ...)) to Meta.constraints.",
            obj=model,
            id="vibe.E002",
        )


def readable_sealed_columns(model: type[models.Model], walls: list[Any]) -> Iterator[CheckMessage]:
    """Yield an error for sealed columns that support's privileges would let it read or write."""
    sealed = {field.column for field in model._meta.local_fields if isinstance(field, SealedColumn)}
    for wall in walls:
        if not (isinstance(wall, Privileges) and wall.role == SUPPORT):
            continue
        for verb, columns in wall.verbs:
            if sealed and (columns is None or sealed & set(columns)):
                yield Error(
                    f"{model._meta.label} lets support {verb} sealed columns.",
                    hint=f"Name the columns of {verb} in Privileges, without the sealed ones.",
                    obj=model,
                    id="vibe.E003",
                )
