from django.apps import AppConfig


class MemoriesConfig(AppConfig):
    name = "memories"
    verbose_name = "Memories"

    def ready(self) -> None:
        from accounts.erasure.services import FILES  # noqa: PLC0415
        from accounts.export import sections  # noqa: PLC0415
        from memories.export_section import CONVERSATIONS  # noqa: PLC0415
        from memories.imports.services.uploaded import remove_files_of  # noqa: PLC0415
        from memories.storage import limits  # noqa: PLC0415

        sections.add(CONVERSATIONS)
        if remove_files_of not in FILES:
            FILES.append(remove_files_of)
        limits()
