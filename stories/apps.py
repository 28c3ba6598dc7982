from django.apps import AppConfig


class StoriesConfig(AppConfig):
    name = "stories"
    verbose_name = "Stories"

    def ready(self) -> None:
        from accounts import restoring, sections  # noqa: PLC0415
        from stories import receivers  # noqa: F401, PLC0415
        from stories.export_sections import ENTITIES, STORIES  # noqa: PLC0415
        from stories.restoring import restore_correction  # noqa: PLC0415

        sections.add(STORIES)
        sections.add(ENTITIES)
        restoring.add("vibe.story", restore_correction)
