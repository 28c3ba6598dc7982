from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from audit.proof.keys import trail_keys  # noqa: PLC0415

        trail_keys()  # wrong ones stop the start
