from django.apps import AppConfig


class MemoriesConfig(AppConfig):
    name = "memories"
    verbose_name = "Memories"

    def ready(self) -> None:
        from accounts.export import sections  # noqa: PLC0415
        from memories.export_section import CONVERSATIONS  # noqa: PLC0415
        from memories.storage import limits  # noqa: PLC0415

        sections.add(CONVERSATIONS)
        limits()
