from django.apps import AppConfig


class StoriesConfig(AppConfig):
    name = "stories"
    verbose_name = "Stories"

    def ready(self) -> None:
        from accounts.export import import_readers, sections  # noqa: PLC0415
        from stories import receivers  # noqa: F401, PLC0415
        from stories.corrections.services.restoring import restore_correction  # noqa: PLC0415
        from stories.export_sections import ENTITIES, STORIES  # noqa: PLC0415

        sections.add(STORIES)
        sections.add(ENTITIES)
        import_readers.add("vibe.story", restore_correction)
