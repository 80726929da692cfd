"""Small files of our own in the format of each benchmark of judges, as a user would download them."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

BIGBENCH = [
    {
        "input": "Sort: b a",
        "steps": ["The letters are b and a.", "So b is first.", "The answer is b a"],
        "answer": "b a",
        "target": "a b",
        "mistake_index": 1,
    },
    {
        "input": "Sort: d c",
        "steps": ["c is before d.", "The answer is c d"],
        "answer": "c d",
        "target": "c d",
        "mistake_index": None,
    },
    {
        "input": "Sort: f e",
        "steps": ["f is before e.", "No: e is. The answer is e f"],
        "answer": "e f",
        "target": "e f",
        "mistake_index": 0,
    },
]


def mr_ben_row(model: str, steps: object, right: str, step: str) -> dict[str, Any]:
    said = ["The sum is wrong.\n", "2 + 2 is 4."] if right == "incorrect" else "N/A"
    return {
        "Question_UUID": "q-1",
        "Subject": "college_math",
        "Question": "What is 2 + 2, doubled?",
        "Options": "A: 8 \nB: 10 ",
        "Ground_Truth_Analysis": "",
        "Ground_Truth_Answer": "B",
        "Ground_Truth_Answer_Modified": "A",
        "Sampled_Model": model,
        "Model_Solution_Steps": steps,
        "Model_Solution_Correctness": right,
        "Model_Solution_First_Error_Step": step,
        "Model_Solution_Error_Reason": said,
        "Model_Solution_Rectified_First_Error_Step": ["Step 1: 2 + 2 = 4."]
        if right == "incorrect"
        else "N/A",
    }


MR_BEN = {
    "q-1": [
        mr_ben_row("ada", ["Step 1: 2 + 2 = 5.", "Step 2: twice 5 is 10."], "incorrect", "1"),
        mr_ben_row("bob", ["Step 1: 2 + 2 = 4.", "Step 2: twice 4 is 8."], "correct", "N/A"),
        mr_ben_row("cy", ["Step 1: so it is 9."], "incorrect", "7"),
    ]
}
MR_BEN_CODE = {
    "q-2": [
        {
            "Question_UUID": "q-2",
            "Subject": "coding",
            "Question": "Double x.",
            "Ground_Truth_Answer": "",
            "Sampled_Model": "ada",
            "Model_Solution_Steps": "def double(x):\n    y = x + 1\n    return y\n",
            "Model_Solution_Correctness": "incorrect",
            "Model_Solution_First_Error_Step": "    y = x + 1  ",
            "Model_Solution_Error_Reason": "It adds one.",
            "Model_Solution_Rectified_First_Error_Step": "    y = 2 * x",
        }
    ]
}


def mr_gsm8k_row(name: str, right: str, step: object, reason: str) -> dict[str, Any]:
    return {
        "uuid": name,
        "question": "Two and two?",
        "ground_truth_solution": "2 + 2 = 4",
        "ground_truth_answer": "4",
        "model_output_steps": ["Step 1: there are two.", "Step 2: 2 + 2 = 5."],
        "model_output_answer_correctness": right,
        "model_output_solution_correctness": right,
        "model_output_solution_first_error_step": step,
        "model_output_solution_first_error_reason": reason,
        "question_type": "original",
    }


MR_GSM8K = [
    mr_gsm8k_row("m-1", "wrong", 2, "2 + 2 is 4"),
    mr_gsm8k_row("m-2", "correct", "N/A", "N/A"),
    mr_gsm8k_row("m-3", "wrong", "N/A", "it misreads the question"),
]
PROCESSBENCH = [
    {
        "id": "gsm8k-0",
        "generator": "ada-7b",
        "problem": "Two and two?",
        "steps": ["There are two.", "2 + 2 = 5."],
        "final_answer_correct": False,
        "label": 1,
    },
    {
        "id": "gsm8k-1",
        "generator": "bob-7b",
        "problem": "Two and three?",
        "steps": ["2 + 3 = 5."],
        "final_answer_correct": True,
        "label": -1,
    },
]


def rated(text: str, rating: int | None) -> dict[str, Any]:
    return {"text": text, "rating": rating, "flagged": None}


def prm_row(steps: list[Row], finish: str, planned: list[str] | None, **flags: bool) -> dict[str, Any]:
    question: dict[str, Any] = {"problem": "Two and two?", "ground_truth_answer": "4"}
    if planned:
        question["pre_generated_steps"] = planned
    return {
        "labeler": "l",
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        **flags,
        "question": question,
        "label": {"steps": steps, "finish_reason": finish},
    }


def prm_step(*offered: Row, chosen: int | None = 0, human: object = None) -> dict[str, Any]:
    return {"completions": list(offered), "chosen_completion": chosen, "human_completion": human}


PRM800K = [
    prm_row(
        [
            prm_step(rated("There are two.", 0)),
            prm_step(rated("2 + 2 = 5.", -1), rated("2 + 2 = 4.", 1), chosen=None),
        ],
        "found_error",
        ["There are two.", "2 + 2 = 5.", "So 5."],
    ),
    prm_row([prm_step(rated("2 + 2 = 4.", 1))], "solution", ["2 + 2 = 4."]),
    prm_row([prm_step(rated("Hm.", 1))], "give_up", ["Hm.", "What?"]),
    prm_row([prm_step(rated("Seen by all.", 1))], "solution", None, is_quality_control_question=True),
    prm_row(
        [
            prm_step(rated("No.", -1), rated("There are two.", 1), chosen=1),
            prm_step(rated("5.", -1), chosen=None, human={"text": "4."}),
        ],
        "solution",
        None,
    ),
]
CRITICBENCH_LIN = [
    {
        "id": 0,
        "question": "Two and two?",
        "answer": ["4", "four"],
        "response": "It is 5.",
        "response_label": False,
        "question_source": "GSM8K",
        "question_type": "mathematical",
    },
    {
        "id": 1,
        "question": "Two and two?",
        "answer": "4",
        "response": "It is 4.",
        "response_label": True,
        "question_source": "GSM8K",
        "question_type": "mathematical",
    },
]
LAN_FEEDBACK = [
    {
        "question": "Translate 'chat'.",
        "generation": "cat",
        "feedback": "Right.",
        "feedback_score": 6,
        "metadata": {"quality": "high"},
    }
]
LAN_COMPARISON = [
    {
        "question": "Greet.",
        "obj": {"generation_a": "Hi", "generation_b": "Go away", "preference": preference},
        "metadata": {},
    }
    for preference in ("response_A", "B", "C")
]
LAN_META = [
    {
        "question": "Greet.",
        "generation": "Go away",
        "generated_feedback": "Kind.",
        "meta_feedback_score": 2,
        "raw_quality": "low",
    }
]
REALCRITIC = [
    {
        "idx": 0,
        "question": "Two and two?",
        "gt_cot": "None",
        "gt": "4",
        "pred": "5",
        "reasoning": ["It is 5."],
        "model": "ada",
        "previous_score": [False],
    },
    {
        "idx": 1,
        "question": "Two and three?",
        "gt_cot": "2 + 3",
        "gt": "5",
        "pred": "5",
        "reasoning": "It is 5.",
        "model": "bob",
        "previous_score": [True],
    },
]


def checked(text: str, claims: list[str], true: list[bool], covered: list[bool], f1: float) -> dict[str, Any]:
    return {
        "critique": text,
        "aius": claims,
        "precision_labels": true,
        "recall_labels": covered,
        "f1_score": f1,
    }


METACRITIQUE = [
    {
        "index": 0,
        "shepherd_id": 9,
        "dataset": "PIQA",
        "question": "Open a jar",
        "response": "Use a saw.",
        "gpt4_answer": "Turn the lid.",
        "gpt4_critique": {"critique": "A saw is wrong. Say to turn.", "aius": ["A saw is wrong.", "Turn."]},
        "human_critique": checked("No saw.", ["No saw."], [True], [True, False], 0.66),
        "llm1_critique": {
            "model": "ada",
            **checked("Good. Nice.", ["Good.", "Nice."], [False, False], [False, False], 0),
        },
    }
]
JUDGEBENCH: list[dict[str, Any]] = [
    {
        "pair_id": f"p-{number}",
        "original_id": "7",
        "source": "mmlu-pro-law",
        "question": "Which?",
        "response_model": "ada-4",
        "response_A": "It is A.",
        "response_B": second,
        "label": label,
    }
    for number, (second, label) in enumerate([("It is B.", "A>B"), ("It is A.", "B>A")])
]
LLMBAR = [
    {"input": "Say hi.", "output_1": "Hi", "output_2": "Bye", "label": 1},
    {"input": "Say bye.", "output_1": "Hi", "output_2": "Bye", "label": 2},
]
REWARD_BENCH = [
    {
        "prompt": f"Say {number}.",
        "chosen": f"{number}",
        "chosen_model": "human",
        "rejected": "no",
        "rejected_model": "ada",
        "subset": "chat-easy",
        "id": number,
    }
    for number in range(16)
]
REWARD_BENCH_2 = [
    {
        "id": "12",
        "prompt": "Two and two?",
        "chosen": ["4"],
        "rejected": ["5", "6", "7"],
        "models": ["ada", "bob", "cy", "di"],
        "subset": "Math",
    },
    {
        "id": "ref:3",
        "prompt": "Name the sky's colour.",
        "chosen": ["blue"],
        "rejected": ["red"],
        "models": ["ada"],
        "subset": "Ties",
    },
    {
        "id": "tied:3",
        "prompt": "Name a primary colour.",
        "chosen": ["red", "blue"],
        "rejected": ["pink", "grey"],
        "models": [],
        "subset": "Ties",
    },
]


def pandalm_row(number: int, votes: tuple[int, int, int], given: object = "x") -> dict[str, Any]:
    return {
        "idx": number,
        "cmp_key": "llama-7b_opt-7b",
        "instruction": "Repeat.",
        "input": given,
        "response1": "x",
        "response2": "y",
        **{f"annotator{place}": vote for place, vote in enumerate(votes, 1)},
    }


PANDALM = [
    pandalm_row(0, (1, 1, 2)),
    pandalm_row(1, (0, 0, 2), float("nan")),
    pandalm_row(2, (0, 1, 2)),
]


def alpaca_vote(first: str, second: str, preference: float | None) -> dict[str, Any]:
    return {
        "instruction": "Greet.",
        "input": "",
        "output_1": first,
        "output_2": second,
        "generator_1": "base",
        "generator_2": "ada",
        "preference": preference,
        "dataset": "helpful_base",
    }


ALPACA_EVAL = [
    *[alpaca_vote("Hi", "Hello", preference) for preference in (1, 2, 2, 2)],
    *[alpaca_vote("Hi", "Go", preference) for preference in (1, 2)],
    alpaca_vote("Hi", "Hey", 1.5),
    alpaca_vote("Hi", "", None),
    alpaca_vote("Hi", "Ho", 1.25),
]


def dialogue(*texts: str) -> list[Row]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def mt_vote(a: str, b: str, winner: str, judge: str, turn: int) -> dict[str, Any]:
    said = {name: dialogue("Hi?", f"{name} one", "And?", f"{name} two") for name in ("ada", "bob")}
    return {
        "question_id": 81,
        "model_a": a,
        "model_b": b,
        "winner": winner,
        "judge": judge,
        "conversation_a": said[a],
        "conversation_b": said[b],
        "turn": turn,
    }


MT_BENCH = [
    mt_vote("ada", "bob", "model_a", "expert_1", 1),
    mt_vote("bob", "ada", "model_b", "expert_2", 1),
    mt_vote("ada", "bob", "model_b", "expert_3", 1),
    mt_vote("ada", "bob", "tie (inconsistent)", "expert_1", 2),
]
SHEPHERD = [
    {
        "id": 5,
        "question": "Two and two?",
        "answer": "5",
        "feedback": "It is 4.",
        "meta": {"domain": "human annotation"},
    }
]


def shepherd_job(*categories: Row) -> dict[str, Any]:
    return {"categories": list(categories), "jobName": "a job"}


SHEPHERD_RAW = [
    {
        "id": 5,
        "latestLabel": {
            "jsonResponse": {
                "CLASSIFICATION_JOB_0": shepherd_job(
                    {"name": "ARITHMETIC", "children": {"TRANSCRIPTION_JOB_12": {"text": "It is 4."}}},
                    {"name": "REDUNDANCY", "children": {"TRANSCRIPTION_JOB_11": {"text": "Said twice."}}},
                ),
                "CLASSIFICATION_JOB": shepherd_job({"name": "2_NOT_JUSTIFIED_ENOUGH"}),
                "CLASSIFICATION_JOB_1": shepherd_job({"name": "4_MOSTLY_RELEVANT"}),
            }
        },
        "metadata": {"context": "Two and two?", "output_correct": "4", "output_candidate": "5"},
    }
]


def completion(model: str, score: float | None, ratings: Sequence[str] = ()) -> dict[str, Any]:
    aspects = ("helpfulness", "honesty")
    notes = {name: {"Rating": r, "Rationale": ""} for name, r in zip(aspects, ratings, strict=False)}
    return {
        "model": model,
        "response": f"{model} says",
        "critique": f"{model} could do better",
        "overall_score": score,
        "annotations": notes,
    }


ULTRAFEEDBACK: list[dict[str, Any]] = [
    {
        "source": "truthful_qa",
        "instruction": "Is the sky blue?",
        "models": ["ada", "bob", "cy"],
        "correct_answers": ["Yes"],
        "completions": [
            completion("ada", 7.0, ("4", "5")),
            completion("bob", 9.0, ("3", "N/A")),
            completion("cy", 7.0, ("4", "5")),
        ],
    },
    {
        "source": "flan",
        "instruction": "And grass?",
        "models": ["ada", "bob"],
        "correct_answers": ["None"],
        "completions": [completion("ada", 7.0), completion("bob", None)],
    },
    {"source": "flan", "instruction": "Nobody?", "models": [], "completions": []},
]
MINT_HISTORY = [
    {"role": "user", "content": "A long example.\n---\nTask:\nTwo and two?\n"},
    {"role": "assistant", "content": "Assistant:\n<execute>2 + 2</execute>"},
    {"role": "user", "content": "Observation:\nOut[1]: 4\n\nExpert feedback:\nThis is GOOD."},
    {"role": "assistant", "content": "Assistant:\n<solution> 5 </solution>"},
    {
        "role": "user",
        "content": "Observation:\nYour answer is wrong.\n\nExpert feedback:\nThis is GOOD. Go on.",
    },
    {"role": "assistant", "content": "Assistant:\n<solution> 6 </solution>"},
    {"role": "user", "content": "Observation:\nYour answer is wrong.\n\nExpert feedback:\nThis is NOT GOOD."},
    {"role": "assistant", "content": "Assistant:\n<solution> 4 </solution>"},
]
MINT = [
    {
        "state": {
            "history": MINT_HISTORY,
            "success": True,
            "terminate_reason": "task_success",
            "error": None,
        },
        "task": {"task_name": "reasoning", "task_id": 3, "prompt": "Two and two?", "reference": "4"},
    }
]
OWN = [
    {"problem": "Two and two?", "answer": "4", "gold": "correct", "reference": "4", "subset": "sums"},
    {"problem": "Two and two?", "answer": "there are two\nso 5", "step": 1, "author": "ada"},
    {"problem": "Greet.", "answer_a": "Hi", "answer_b": "Go", "label": "A", "authors": ["ada", "bob"]},
    {"problem": "Greet.", "answers": ["Go", "Hi", "Hello"], "label": "B,C"},
    {"problem": "Greet.", "answers": ["Hi", "Hello"], "label": "tie"},
    {"problem": "Greet.", "answer": "Hi"},
]

FILES: Mapping[str, Mapping[str, object]] = {
    "alpaca-eval": {"human_crossannotations.json": ALPACA_EVAL},
    "bigbench-mistake": {"word_sorting.jsonl": BIGBENCH, "dyck_languages.jsonl": BIGBENCH[:1]},
    "criticbench-lan": {
        "translate_feedback_correction.json": LAN_FEEDBACK,
        "chat_comp_feedback.json": LAN_COMPARISON,
        "meta_feedback_single/meta_feedback_singlewise_qa.json": LAN_META,
    },
    "criticbench-lin": {"test.jsonl": CRITICBENCH_LIN},
    "cases": {"own.jsonl": OWN},
    "judgebench": {"dataset=judgebench,response_model=ada-4.0.jsonl": JUDGEBENCH},
    "llmbar": {"LLMBar/Natural/dataset.json": LLMBAR, "CaseStudy/Base_9/dataset.json": LLMBAR},
    "metacritique": {"annotation_data.json": METACRITIQUE},
    "mint": {"ada/F=gpt-4-0613/PHF=x/max5_p2+tool+cd/reasoning/gsm8k/results.jsonl": MINT},
    "mr-ben": {"math.json": MR_BEN, "coding.json": MR_BEN_CODE},
    "mr-gsm8k": {"MR-GSM8K.json": MR_GSM8K},
    "mt-bench": {"human.jsonl": MT_BENCH},
    "pandalm": {"testset-v1.json": PANDALM},
    "prm800k": {"phase2_test.jsonl": PRM800K},
    "processbench": {"gsm8k.json": PROCESSBENCH},
    "realcritic": {"math/test.jsonl": REALCRITIC, "gpqa/test.jsonl": REALCRITIC[:1]},
    "reward-bench": {"filtered.jsonl": REWARD_BENCH},
    "reward-bench-2": {"test.jsonl": REWARD_BENCH_2},
    "shepherd": {"human_data_raw.jsonl": SHEPHERD_RAW},
    "ultrafeedback": {"truthful_qa.jsonl": ULTRAFEEDBACK},
}
"""Relative paths of each benchmark's files, with what stands in them."""


def write(path: Path, content: object) -> Path:
    """JSON lines, JSON or CSV, as the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        rows: Any = content
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        return path
    lines: Any = content
    text = (
        "".join(json.dumps(row) + "\n" for row in lines) if path.suffix == ".jsonl" else json.dumps(content)
    )
    path.write_text(text, encoding="utf-8")
    return path


def write_all(name: str, folder: Path) -> str:
    """Write a benchmark's files into a folder; the spec that names them."""
    paths = [write(folder / path, content) for path, content in FILES[name].items()]
    return f"{name}:{paths[0] if name == 'cases' else folder}"
