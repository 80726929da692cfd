"""GSM8K: grade-school word problems, from the file as its authors publish it.

Cobbe et al., 2021, arXiv:2110.14168. The gold answer is the number after '####'; an answer is
right when its last number equals it, which is how the paper's recorded verdicts come out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gadfly.benchmarks.about import About
from gadfly.benchmarks.hub import Hub, Source, Upstream, find_source, refuse_options
from gadfly.errors import InputError
from gadfly.parsing import answer_instruction
from gadfly.parsing.spec import configure
from gadfly.records import Problem
from gadfly.scorers.text import Numeric

_SOURCE = (
    "https://raw.githubusercontent.com/openai/grade-school-math/master/grade_school_math/data/test.jsonl"
)
_UPSTREAM = Upstream(title="GSM8K", download=_SOURCE, hub=Hub(path="openai/gsm8k", config="main"))

ABOUT = About(
    name="gsm8k",
    summary="grade-school word problems with whole-number answers (7,473 train, 1,319 test)",
    licence="MIT",
    citation="Cobbe et al., 2021, arXiv:2110.14168",
    example="gsm8k:test.jsonl",
    needs=f"the file ({_SOURCE}), or the package datasets and 'gsm8k:hub'",
    options={
        "split": "which split to take from the hub (test)",
        "strict": "only a line that states the answer counts (false)",
        "tolerance": "largest difference that is still right (0)",
        "marker": "text before the answer in recorded solutions, such as 'A:' (none)",
    },
)


@dataclass(frozen=True, kw_only=True)
class Gsm8k:
    """The problems of one file or of one split of the hub's copy."""

    name: str
    scorer: Numeric
    source: Source

    @property
    def notes(self) -> tuple[str, ...]:
        """What was read, with its checksum."""
        return self.source.notes

    def problems(self) -> Iterator[Problem]:
        """The problems in the file's order.

        Raises:
            InputError: the file cannot be read, or a row of it is not one of GSM8K's.
        """
        for at in self.source.rows():
            where, label, row = at.where, at.source, at.row
            question, answer = row.get("question"), row.get("answer")
            if not isinstance(question, str) or not isinstance(answer, str) or "####" not in answer:
                raise InputError(f"{where}: not a row of GSM8K, which has question and answer ('#### 7')")
            yield Problem(
                id=f"gsm8k-{label}-{at.index:04d}",
                prompt=f"{question}\n{answer_instruction('number')}",
                reference=answer.rpartition("####")[2].strip().replace(",", ""),
                answer_kind="number",
                metadata={"family": "gsm8k", "split": label},
                privileged={"solution": answer},
            )


def load(target: str, options: Mapping[str, str]) -> Gsm8k:
    """GSM8K from the file `target`, or from the hub where `target` is "hub" or "hub:REVISION".

    Raises:
        InputError: no file was named, it is not there, or an option cannot be used.
    """
    refuse_options(options, ABOUT)
    source = find_source(target, ABOUT, _UPSTREAM, split=options.get("split"))
    own = {key: value for key, value in options.items() if key != "split"}
    scorer = configure(Numeric(), own, where="gsm8k")
    query = "&".join(f"{key}={value}" for key, value in options.items())
    benchmark = Gsm8k(
        name=f"gsm8k:{target}" + (f"?{query}" if query else ""),
        scorer=scorer,
        source=source,
    )
    next(benchmark.problems())
    return benchmark
