"""A development chain: deterministic, seeded, with scripted agents and reorgs, served like a node.

``DevChain`` is the model, ``DevNode`` the server over it, ``run_script`` moves it in real time, ``canonical`` and
``sample_questions`` tell what a reader must find.
"""

from connectors.chain.devchain.chain import ChangeKind, DevChain, HeadChange, ReorgEntry
from connectors.chain.devchain.driver import run_script
from connectors.chain.devchain.node import DevNode
from connectors.chain.devchain.oracle import CanonicalBlock, canonical, live_notes
from connectors.chain.devchain.questions import Question, sample_questions
from connectors.chain.devchain.steps import ReorgPlan, Step, StepKind, play, script

__all__ = [
    "CanonicalBlock",
    "ChangeKind",
    "DevChain",
    "DevNode",
    "HeadChange",
    "Question",
    "ReorgEntry",
    "ReorgPlan",
    "Step",
    "StepKind",
    "canonical",
    "live_notes",
    "play",
    "run_script",
    "sample_questions",
    "script",
]
