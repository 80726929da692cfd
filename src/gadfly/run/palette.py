"""Colours of the picture and the report. The report's style sheet gives each a light and a dark value."""

from gadfly.run.comparison import Verdict
from gadfly.run.improvement import Phase

INK, MUTED, PAPER, VOTING, GRID = "#1b1f24", "#5c6670", "#fffffe", "#4a5560", "#d9dee3"

# Okabe and Ito's palette: told apart by readers with any common colour vision.
VERDICTS: dict[Verdict, str] = {
    "beats voting": "#008060",
    "loses to voting": "#c75000",
    "cannot tell": "#0072b2",
    "baseline": "#4a5561",
}

ARMS = ("#0072b2", "#c75000", "#008060", "#4a5560", "#a8508f")
"""Of loops and controls, in their order."""
PHASES: dict[Phase, str] = {
    "generation": "#0072b2",
    "feedback": "#d98a1f",
    "training": "#008060",
    "evaluation": "#b4bec8",
}

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    PAPER: "--paper",
    VOTING: "--voting",
    GRID: "--grid",
    VERDICTS["beats voting"]: "--beats",
    VERDICTS["loses to voting"]: "--loses",
    VERDICTS["cannot tell"]: "--unclear",
    VERDICTS["baseline"]: "--baseline",
}
"""Custom property of the style sheet by colour."""
