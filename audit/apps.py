from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit trail"

    def ready(self) -> None:
        from audit.client import trusted_header, trusted_proxies  # noqa: PLC0415
        from audit.proof.keys import trail_keys  # noqa: PLC0415

        for build in (trail_keys, trusted_proxies, trusted_header):
            build()  # fail at start on an invalid setting
