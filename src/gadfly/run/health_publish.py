"""Everything an improvement leaves for readers."""

from pathlib import Path

from gadfly.errors import InputError
from gadfly.run.diagnosis import measure
from gadfly.run.health import HEALTH, Health
from gadfly.run.health_figures import write_health_figures
from gadfly.run.health_page import write_health_page
from gadfly.run.health_table import markdown
from gadfly.run.improvement import Improvement, write_improvement, write_record

MARKDOWN = "report.md"


def publish_improvement(improvement: Improvement, out: Path, *, health: Health | None = None) -> list[Path]:
    """Write `improvement.json`, `health.json`, the pictures, `report.html` and `report.md` into a folder.

    Args:
        improvement: The evidence.
        out: The folder; made where it is missing.
        health: The figures, where they are known already.

    Raises:
        InputError: the disk refuses.
    """
    found = health or measure(improvement)
    records = [write_improvement(improvement, out), write_record(found, out / HEALTH)]
    pictures = write_health_figures(found, out)
    page = write_health_page(improvement, found, out, pictures=pictures)
    text = out / MARKDOWN
    try:
        text.write_text(f"# Improvement of {found.model}\n\n{markdown(found)}", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {text}: {error.strerror or error}") from error
    return [*records, *pictures, page, text]
