from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from accounts.authentication.firebase import firebase  # noqa: PLC0415
        from accounts.authentication.rate_limit_store import rates  # noqa: PLC0415
        from accounts.erasure import checks  # noqa: F401, PLC0415  # registers the checks
        from accounts.export.account_sections import register_sections  # noqa: PLC0415
        from accounts.grants.notices import mail_server  # noqa: PLC0415
        from accounts.keys import master_key  # noqa: PLC0415  # connects to a signal
        from accounts.keys.services import data_keys  # noqa: PLC0415
        from accounts.staff import session_store  # noqa: F401, PLC0415  # connects to a signal
        from accounts.staff.groups import ensure_groups  # noqa: PLC0415
        from accounts.webhooks.addresses import networks  # noqa: PLC0415
        from audit.signals import recording  # noqa: PLC0415
        from vibe.core import file_storage  # noqa: PLC0415

        firebase().check(debug=settings.DEBUG)
        for build in (master_key.ring, data_keys.require_bound, rates, networks, file_storage.check, mail_server):
            build()  # a wrong setting stops the start
        post_migrate.connect(ensure_groups, sender=self)
        recording.connect(master_key.refuse_recording)
        register_sections()
