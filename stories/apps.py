from django.apps import AppConfig


class StoriesConfig(AppConfig):
    name = "stories"
    verbose_name = "Stories"

    def ready(self) -> None:
        from accounts.export import import_readers, sections  # noqa: PLC0415
        from accounts.people.services.account_status import LIFTED  # noqa: PLC0415
        from memories import index  # noqa: PLC0415
        from stories.corrections.services import restoring  # noqa: PLC0415
        from stories.export_sections import ENTITIES, FACTS, STORIES  # noqa: PLC0415
        from stories.index.memory_index import MemoryIndex  # noqa: PLC0415
        from stories.index.pending import catch_up  # noqa: PLC0415
        from stories.processors.fenced import processor_limits  # noqa: PLC0415
        from stories.processors.named import embedder_paths, processor_path  # noqa: PLC0415
        from stories.processors.openai_compatible.service import configured_service  # noqa: PLC0415

        configured_service().check(  # a wrong setting stops the start
            text="openai_compatible" in processor_path(),
            vectors="openai_compatible" in embedder_paths()[0],
        )
        processor_limits()
        index.use(MemoryIndex())
        if catch_up not in LIFTED:
            LIFTED.append(catch_up)
        sections.add(STORIES)
        sections.add(ENTITIES)
        sections.add(FACTS)
        import_readers.add("vibe.story", restoring.restore_correction)
        import_readers.add("vibe.fact", restoring.restore_own_word)
