"""How sure a model is of an answer, measured four ways. Each gives a `Score` in 0..1."""

import math
from collections.abc import Callable, Sequence

from gadfly.errors import ParseError, UnsupportedError
from gadfly.parsing import answer_key, read_rating
from gadfly.primitives.asking import GREEDY, ask, whole
from gadfly.prompts import Prompt
from gadfly.protocols import Model
from gadfly.records import AnswerKind, Candidate, Failure, Problem, Sampling, Score, Tokens
from gadfly.trace import primitive

TRUE_OR_FALSE = Prompt(
    name="true-or-false",
    user="""{{ problem | fence("problem") }}
{% if siblings %}

Some other proposed answers:
{% for sibling in siblings %}
{{ sibling | fence("idea") }}
{% endfor %}
{% endif %}

{{ answer | fence("answer") }}

Is this answer right? Reply with one word, True or False.""",
)

HOW_SURE = Prompt(
    name="how-sure",
    user="""{{ problem | fence("problem") }}

{{ answer | fence("answer") }}

How likely is it that this answer is right? Reply with a last line of this form, from 0 (surely
wrong) to 100 (surely right):
CONFIDENCE: <number>""",
)


@primitive
async def p_true(
    model: Model,
    problem: Problem,
    candidate: Candidate,
    *,
    siblings: Sequence[Candidate] = (),
    prompt: Prompt = TRUE_OR_FALSE,
) -> Score:
    """P(True) of Kadavath et al. 2022 (arXiv:2207.05221), section 3: p(True) / (p(True) + p(False)).

    Read from the first token's alternatives; `siblings` are other samples shown beside the
    answer. Unscored where neither word is among the alternatives.

    Raises:
        UnsupportedError: the backend reports no log-probabilities.
    """
    slots = {"answer": candidate.text, "siblings": [sibling.text for sibling in siblings]}
    sampling = Sampling(temperature=0.0, max_tokens=1, logprobs=20)
    reply = await ask(model, problem, prompt=prompt, slots=slots, sampling=sampling)
    if reply.tokens is None or not reply.tokens.top:
        raise UnsupportedError(
            f"{model.id} reports no alternatives for a token, which P(True) needs; "
            "llamacpp:, transformers: and OpenAI-compatible servers with logprobs do"
        )
    yes, no = _mass(reply.tokens, "true"), _mass(reply.tokens, "false")
    failure: Failure | None = None
    if yes + no == 0:
        message = "neither True nor False is among the likeliest first tokens"
        failure = ParseError(message).failure()
    return Score(
        target=candidate.id,
        value=None if failure else yes / (yes + no),
        author=reply.model,
        explanation=f"p(True) {yes:.4f}, p(False) {no:.4f}",
        failure=failure,
    )


def _mass(tokens: Tokens, word: str) -> float:
    """Probability of the first token being `word` or a beginning of it, in any case."""
    total = 0.0
    for token, logprob in (tokens.top or ({},))[0].items():
        said = token.strip().lower()
        if said and word.startswith(said):
            total += math.exp(logprob)
    return total


@primitive
async def verbalised(
    model: Model, problem: Problem, candidate: Candidate, *, prompt: Prompt = HOW_SURE
) -> Score:
    """The confidence a model states in words, 0 to 100 mapped to 0..1 (Lin et al. 2022, arXiv:2205.14334)."""
    slots = {"answer": candidate.text}
    reply = await ask(model, problem, prompt=prompt, slots=slots, sampling=GREEDY)
    value: float | None = None
    failure: Failure | None = None
    try:
        value = read_rating(whole(reply).replace("%", ""), low=0, high=100, name="CONFIDENCE") / 100
    except ParseError as error:
        failure = error.failure()
    return Score(
        target=candidate.id, value=value, author=reply.model, explanation=reply.text, failure=failure
    )


@primitive
async def agreement(
    problem: Problem,
    candidate: Candidate,
    samples: Sequence[Candidate],
    *,
    key: Callable[[str, AnswerKind], str] = answer_key,
) -> Score:
    """The share of samples that give the candidate's answer; samples without an answer disagree."""
    try:
        own = key(candidate.text, problem.answer_kind)
    except ParseError as error:
        return Score(target=candidate.id, value=None, author="agreement", failure=error.failure())
    same = 0
    for sample in samples:
        try:
            same += key(sample.text, problem.answer_kind) == own
        except ParseError:
            continue
    value = same / len(samples) if samples else None
    failure = None if samples else ParseError("no samples to agree with").failure()
    return Score(
        target=candidate.id,
        value=value,
        author="agreement",
        explanation=f"{same} of {len(samples)}",
        failure=failure,
    )


@primitive
async def mean_logprob(candidate: Candidate) -> Score:
    """The geometric mean of the candidate's token probabilities, from when it was generated.

    Unscored where it was not generated with `Sampling(logprobs=0)` or more.
    """
    if candidate.logprob is None:
        message = "the candidate was generated without log-probabilities: use Sampling(logprobs=0)"
        failure = UnsupportedError(message).failure()
        return Score(target=candidate.id, value=None, author="mean_logprob", failure=failure)
    return Score(
        target=candidate.id,
        value=math.exp(candidate.logprob),
        author="mean_logprob",
        explanation=f"mean log-probability {candidate.logprob:.4f}",
    )
