from django.apps import AppConfig
from django.conf import settings

from vibe.core.errors import ConfigurationError


class MemoriesConfig(AppConfig):
    name = "memories"
    verbose_name = "Memories"

    def ready(self) -> None:
        if not 0 <= settings.MEMORY_RETENTION_DAYS <= 36_500:
            raise ConfigurationError("MEMORY_RETENTION_DAYS is a number of days up to 36500, or 0 to keep memories.")
        from accounts.erasure.services import FILES  # noqa: PLC0415
        from accounts.export import sections  # noqa: PLC0415
        from memories.export_section import CONVERSATIONS  # noqa: PLC0415
        from memories.imports.services.uploaded import remove_files_of  # noqa: PLC0415
        from memories.storage import limits  # noqa: PLC0415

        sections.add(CONVERSATIONS)
        if remove_files_of not in FILES:
            FILES.append(remove_files_of)
        limits()
