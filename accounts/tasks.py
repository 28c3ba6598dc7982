"""Jobs of accounts. They carry nothing."""

from __future__ import annotations

from procrastinate.contrib.django import app

from accounts.authentication.buckets import forget_full


@app.periodic(cron="23 * * * *")
@app.task(queue="accounts", queueing_lock="accounts.limits", pass_context=False)
def forget_limits(timestamp: int) -> None:  # noqa: ARG001
    """A bucket that is full again is as good as none."""
    forget_full()
