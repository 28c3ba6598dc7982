import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from vibe.doctor.examination import Examined, examine, worst
from vibe.doctor.findings import Severity, grouped


class Command(BaseCommand):
    help = (
        "Examine this installation: what is wrong, the worst first, why it matters, what to do. "
        "Exits with 1 on warnings, 2 on errors."
    )
    requires_system_checks = ()  # it runs them itself, as findings

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *_: Any, **options: Any) -> None:
        examined = list(examine())
        if options["json"]:
            self.stdout.write(as_json(examined))
        else:
            self.show(examined)
        sys.exit(worst(examined))

    def show(self, examined: list[Examined]) -> None:
        """Print the findings, the worst first and those of one kind as one, then what is well."""
        found = [(each.check, finding) for each in examined for finding in grouped(each.findings)]
        for check, finding in sorted(found, key=lambda each: -each[1].severity):
            style = self.style.ERROR if finding.severity is Severity.ERROR else self.style.WARNING
            self.stdout.write(f"{style(finding.severity.name.lower()):<8} {check}: {finding.what}")
            do = finding.do.replace("\n", "\n               ")
            self.stdout.write(f"         why:  {finding.why}\n         do:   {do}")
        well = [each.check for each in examined if not each.findings]
        if well:
            self.stdout.write(f"{self.style.SUCCESS('ok'):<8} {', '.join(well)}")
        self.stdout.write(f"{len(examined)} checks, worst: {worst(examined).name.lower()}")


def as_json(examined: list[Examined]) -> str:
    """Return the results as one JSON object."""
    checks = [
        {
            "check": each.check,
            "findings": [{**asdict(finding), "severity": finding.severity.name.lower()} for finding in each.findings],
        }
        for each in examined
    ]
    return json.dumps({"worst": worst(examined).name.lower(), "checks": checks}, indent=2, ensure_ascii=False)
