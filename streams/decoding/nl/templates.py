"""Templates from which the language classifier's examples are made, one a line.

``(a|b)`` is a choice, ``[a]`` may be left out, ``{token}`` is filled from a pool. Lines are held out as a whole, so an
example that is measured never shares its line with one that was learnt from.
"""

from __future__ import annotations

from streams.decoding.nl.templates_acting import ACTING
from streams.decoding.nl.templates_asking import ASKING

TEMPLATES: dict[str, str] = ACTING | ASKING
