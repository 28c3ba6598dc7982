"""What is known of workers and jobs beside procrastinate's own tables. No row of it is about a person."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from vibe.core.db.roles import SUPPORT, SYSTEM
from vibe.core.db.schema.constraints import Privileges

READ = {"SELECT": None}


class JobWorker(models.Model):
    """The class and the slots of a worker. Whether it lives, procrastinate's row of the same id tells.

    There is no foreign key: procrastinate deletes its row, and what is left here then is deleted at the next start of
    a worker.
    """

    worker_id = models.BigIntegerField(primary_key=True)
    queue = models.CharField(max_length=128)
    slots = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "job_workers"
        constraints: ClassVar = [
            Privileges(name="job_workers_for_support", role=SUPPORT, verbs=READ),
            Privileges(name="job_workers_for_system", role=SYSTEM, verbs=READ),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.worker_id}"


class JobFailure(models.Model):
    """The last failure of a class of work, by its code."""

    queue = models.CharField(max_length=128, primary_key=True)
    task = models.CharField(max_length=128)
    code = models.CharField(max_length=200)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "job_failures"
        constraints: ClassVar = [
            Privileges(name="job_failures_for_support", role=SUPPORT, verbs=READ),
            Privileges(name="job_failures_for_system", role=SYSTEM, verbs=READ),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.code}"


class JobError(models.Model):
    """How a job failed last, by the code of the error. It goes with its job: see migrations/0004."""

    job_id = models.BigIntegerField(primary_key=True)
    code = models.CharField(max_length=200)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "job_errors"
        constraints: ClassVar = [
            Privileges(name="job_errors_for_support", role=SUPPORT, verbs=READ),
            Privileges(name="job_errors_for_system", role=SYSTEM, verbs=READ),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} {self.code}"
