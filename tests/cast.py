"""Who acts in tests, and on which day."""

from datetime import UTC, datetime

from audit.actors import Actor

TESTER = Actor.system("tests")
DAY = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
