"""A data card in Markdown from the manifest of an export: what a reader asks before training on it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from gadfly.train.export import write_whole
from gadfly.train.manifest import ExportManifest, Lengths

_WHAT = {
    "prompt-completion": "prompts with one completion to imitate",
    "preference": "prompts with a chosen and a rejected completion",
    "unpaired": "prompts with one completion, labelled good or bad",
    "ranking": "prompts with several completions in order",
    "stepwise": "solutions in steps, each step labelled right or wrong",
    "critique": "problems with an answer, and the critique of it to imitate",
    "judged": "answers with a judgement that is read, and whether it finds fault",
    "correction": "conversations of draft, critique and rewrite",
    "weighted": "completions whose spans or tokens weigh differently",
    "vector-reward": "completions with several marks",
}
_SHOWN = 10


def card_file(file: Path) -> Path:
    """Where the card of an exported file stands."""
    return file.with_name(f"{file.name}.card.md")


def write_card(manifest: ExportManifest, file: Path) -> Path:
    """Write the card beside an exported file.

    Raises:
        InputError: the disk is full or refuses.
    """
    place = card_file(file)
    write_whole(place, card(manifest))
    return place


def card(manifest: ExportManifest) -> str:
    """The card of an export, as Markdown. Names out of the data are shown as text, never as markup."""
    parts = [
        f"# {_plain(manifest.file)}",
        f"{manifest.rows:,} rows: {_WHAT[manifest.kind]}. {manifest.problems:,} distinct problems.",
        _facts(manifest),
        _table("Who wrote what is to be learned", ("author", "turns", "characters"), (
            (name, f"{one.turns:,}", f"{one.characters:,}") for name, one in manifest.authors.items()
        )),
        _counted("Models", "model", manifest),
        _table("Benchmarks", ("benchmark", "rows"), _rows(manifest.benchmarks)),
        _table("Who labelled", ("labeller", "rows"), _rows(manifest.labellers)),
        _table("Labels", ("label", "rows"), _rows(manifest.labels)) if manifest.labels else "",
        _reference(manifest),
        _lengths(manifest),
        _table("Left out by the filters", ("why", "count"), _rows(manifest.dropped))
        if manifest.dropped
        else "",
        _duplicates(manifest),
        _contamination(manifest),
        _licences(manifest),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(manifest: ExportManifest) -> str:
    lines = [
        f"- format: {manifest.format}, {manifest.bytes:,} bytes; columns {', '.join(manifest.columns)}",
        f"- SHA-256 of the file: `{manifest.sha256}`",
        f"- SHA-256 of the rows' ids: `{manifest.content}`",
        f"- made with gadfly {_plain(manifest.package)}",
    ]
    lines += [
        f"- run {_plain(name)}: rollouts with SHA-256 `{digest[:16]}...`"
        for name, digest in manifest.request.runs.items()
    ]
    asked = [f"{_plain(name)} = {_plain(str(value))}" for name, value in manifest.request.options.items()]
    if asked:
        lines.append(f"- asked for: {'; '.join(asked)}")
    return "\n".join(lines)


def _counted(title: str, heading: str, manifest: ExportManifest) -> str:
    return _table(title, (heading, "rows"), _rows(manifest.policies))


def _reference(manifest: ExportManifest) -> str:
    return (
        "## What had seen the reference\n\n"
        f"- Text: {_share(manifest.oracle, manifest.rows)} of the rows hold text that was shaped by "
        "something that had seen the reference.\n"
        f"- Labels: {_share(manifest.saw_reference, manifest.rows)} of the rows were labelled by somebody "
        "who had.\n\n"
        "References, hints and a judge's explanations are not in the file."
    )


def _lengths(manifest: ExportManifest) -> str:
    rows = [
        (name, f"{found.mean:,}", *(f"{n:,}" for n in (found.least, found.median, found.p95, found.most)))
        for name, found in _parts(manifest)
    ]
    return _table("Lengths in characters", ("part", "mean", "least", "median", "95%", "most"), rows)


def _parts(manifest: ExportManifest) -> tuple[tuple[str, Lengths], ...]:
    return ("prompt", manifest.prompt_lengths), ("to be learned", manifest.said_lengths)


def _duplicates(manifest: ExportManifest) -> str:
    found = manifest.dedupe
    if found is None:
        return "## Duplicates\n\nNot looked for."
    near = (
        "Near duplicates were not looked for."
        if found.threshold is None
        else f"{found.near:,} were nearly one (Jaccard index of word 5-grams {found.threshold:g} or more, "
        f"among the last {found.window:,} kept rows)."
    )
    return f"## Duplicates\n\nOf {found.seen:,} rows, {found.exact:,} repeated an earlier one. {near}"


def _contamination(manifest: ExportManifest) -> str:
    found = manifest.decontamination
    if found is None:
        return "## Contamination\n\nNot looked for: the rows were held against no evaluation."
    against = ", ".join(f"{_plain(name)} ({count:,} problems)" for name, count in found.benchmarks.items())
    lines = [
        "## Contamination",
        "",
        f"Held against {against}. {found.seen - found.kept:,} of {found.seen:,} rows gave a problem away and "
        "were left out"
        + (f" ({', '.join(f'{rule}: {n:,}' for rule, n in found.rules.items())})." if found.rules else "."),
    ]
    if found.unreadable:
        lines.append(
            f"{found.unreadable:,} problems have too few words and numbers to be recognised unless equal."
        )
    named = list(found.problems.items())
    lines += ["", *(f"- {_plain(name)}: {count:,} rows" for name, count in named[:_SHOWN])]
    if len(named) > _SHOWN:
        lines.append(f"- and {len(named) - _SHOWN:,} more problems; the manifest has them")
    return "\n".join(lines).rstrip()


def _licences(manifest: ExportManifest) -> str:
    notes = [f"- {_plain(note)}" for note in manifest.request.licences]
    said = "\n".join(notes) or (
        "Nobody has said anything. Look at the terms of the models that wrote the text and of the benchmarks "
        "before you pass it on."
    )
    return f"## Licences\n\n{said}"


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / max(1, whole):.1%})"


def _rows(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(name, f"{count:,}") for name, count in counts.items()]


def _table(title: str, headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [" | ".join(headings), " | ".join("---" for _ in headings)]
    lines += [" | ".join(_plain(cell) for cell in row) for row in rows]
    return "\n".join([f"## {title}", "", *(f"| {line} |" for line in lines)])


def _plain(text: str) -> str:
    """One line that Markdown shows as it is."""
    line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in line)
