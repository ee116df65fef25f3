"""The expression language of alert rules: ``p95(rag_query_latency_ms[60s]) > 100 and rate(rag_queries_total[60s]) > 1``.

A subset of what PromQL says, so that one rule serves this product's own watch and a Prometheus alike (``promql``).
Grammar, loosest first: ``or``, ``and unless``, one comparison (``> >= < <= == !=``), ``+ -``, ``* /``, unary ``-``, then a
number, a parenthesis, a call, or a metric with label matchers in braces (``= != =~ !~``) and a range in brackets. A call has a
metric with a range (over time: avg min max sum count last delta increase rate deriv predict_linear p50 p90 p95 p99), or any
expression (over series: avg min max sum count; of each value: abs). ``by (label, ...)`` stands in front of the argument or
behind the call, and means one value for each set of values of these labels: over series as the call says, of delta, increase
and rate their sum, of a percentile that of the histograms taken together. ``deriv`` is the slope per second of the line that
fits best, ``predict_linear(x[1h], 4h)`` where that line is in four hours.
Names are those of /metrics; ``monmouth_`` in front may be left out. A few names stand for a whole expression over the rule's
window (``SHORT``). Invariant: a text either parses to exactly one tree, or is
refused with the place of the mistake; texts and trees are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from streams.errors import ConfigurationError

LONGEST = 2_000
"""Characters of an expression."""
DEEPEST = 32
PREFIX = "monmouth_"
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
GROWTH = frozenset({"delta", "increase", "rate"})
TRENDS = frozenset({"deriv", "predict_linear"})
OVER_SERIES = frozenset({"avg", "min", "max", "sum", "count"})
OVER_TIME = frozenset({*OVER_SERIES, "last", *GROWTH, *TRENDS, *QUANTILES})
ABS = "abs"
JOINTS = frozenset({"and", "or", "unless"})
COMPARISONS = frozenset({">", ">=", "<", "<=", "==", "!="})
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}

_ANSWERED = "sum(rate(http_request_latency_ms_count[$window]))"
_FAILED = 'sum(rate(http_request_latency_ms_count{status=~"5.."}[$window]))'
_ERROR_RATE = f"({_FAILED} or 0 * {_ANSWERED}) / {_ANSWERED}"
SHORT = {
    "latency_p95_ms": "p95(rag_query_latency_ms[$window])",
    "error_rate": _ERROR_RATE,
    "failed_requests": 'sum(increase(http_request_latency_ms_count{status=~"5.."}[$window]))',
    "availability_percentage": f"100 - 100 * ({_ERROR_RATE})",
}
"""Names that stand for an expression: what 95 of 100 questions keep within; the failed share of answers, and how many that
is; the rest of 100."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<duration>\d+(?:\.\d+)?(?:ms|s|m|h|d)\b)|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[a-zA-Z_:][\w:]*)
    |(?P<string>"(?:[^"\\]|\\.)*")|(?P<sign>=~|!~|>=|<=|==|!=|[-+*/()\[\]{},=<>]))""",
    re.VERBOSE,
)


class ExpressionError(ConfigurationError):
    """An expression that is none."""


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; ``sign`` is ``=``, ``!=``, ``=~`` or ``!~``, the last two whole-string patterns."""

    label: str
    sign: str
    value: str

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether labels meet it; a label that is not there is empty."""
        found = labels.get(self.label, "")
        same = re.fullmatch(self.value, found) is not None if self.sign.endswith("~") else found == self.value
        return same is not self.sign.startswith("!")


@dataclass(frozen=True, slots=True)
class Metric:
    """``seconds``: the range it is looked at over; None: its newest values."""

    name: str
    matchers: tuple[Matcher, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function over time, over series or of each value; ``by``: the labels that are kept of series, in order.

    ``ahead``: seconds that a prediction looks forward.
    """

    function: str
    argument: Node
    by: tuple[str, ...] = ()
    ahead: float = 0.0


@dataclass(frozen=True, slots=True)
class Binary:
    """Two sides of ``and``, ``or``, ``unless``, a comparison or arithmetic."""

    sign: str
    left: Node
    right: Node


Node = Number | Metric | Call | Binary


def parse(text: str, window: str = "60s") -> Node:
    """The tree of an expression; ``window``: what names of ``SHORT`` look at. Raises ExpressionError, which shows the place."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression of {len(text)} characters; {LONGEST} is the most")
    duration(window)
    return _Parser(text, window).whole()


def metrics_of(node: Node) -> Iterator[Metric]:
    """All metrics an expression looks at."""
    match node:
        case Metric():
            yield node
        case Call(argument=argument):
            yield from metrics_of(argument)
        case Binary(left=left, right=right):
            yield from metrics_of(left)
            yield from metrics_of(right)


class _Parser:
    def __init__(self, text: str, window: str) -> None:
        self._text = text
        self._window = window
        self._tokens = list(self._split())
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._or()
        if self._kind:
            raise self._wrong("the end")
        return node

    def _split(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        while self._text[at:].strip():
            match = _TOKEN.match(self._text, at)
            if match is None or match.lastgroup is None:
                raise self._at_place("cannot be read", at + len(self._text[at:]) - len(self._text[at:].lstrip()))
            yield match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)
            at = match.end()
        yield "", "", len(self._text)

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _word(self) -> str:
        return self._tokens[self._at][1]

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _accept(self, *words: str) -> str | None:
        return self._take() if self._kind and self._word in words else None

    def _expect(self, word: str) -> None:
        if self._accept(word) is None:
            raise self._wrong(f"`{word}`")

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._at_place(f"nests deeper than {DEEPEST}", self._tokens[self._at][2])
        node = self._and()
        while self._accept("or"):
            node = Binary("or", node, self._and())
        self._depth -= 1
        return node

    def _and(self) -> Node:
        node = self._comparison()
        while (sign := self._accept("and", "unless")) is not None:
            node = Binary(sign, node, self._comparison())
        return node

    def _comparison(self) -> Node:
        node = self._sum()
        sign = self._accept(*COMPARISONS)
        return node if sign is None else Binary(sign, node, self._sum())

    def _sum(self) -> Node:
        node = self._product()
        while (sign := self._accept("+", "-")) is not None:
            node = Binary(sign, node, self._product())
        return node

    def _product(self) -> Node:
        node = self._unary()
        while (sign := self._accept("*", "/")) is not None:
            node = Binary(sign, node, self._unary())
        return node

    def _unary(self) -> Node:
        negative = False
        while self._accept("-"):
            negative = not negative
        node = self._atom()
        return Binary("-", Number(0.0), node) if negative else node

    def _atom(self) -> Node:
        if self._kind == "number":
            return Number(float(self._take()))
        if self._accept("("):
            node = self._or()
            self._expect(")")
            return node
        if self._kind != "name" or self._word in JOINTS:
            raise self._wrong("a number, a metric or a function")
        place = self._tokens[self._at][2]
        name = self._take()
        if name in SHORT:
            return _Parser(SHORT[name].replace("$window", self._window), self._window).whole()
        if self._accept("by"):
            return self._call(name, place, self._by())
        return self._call(name, place) if self._accept("(") else self._metric(name)

    def _call(self, name: str, place: int, by: tuple[str, ...] = ()) -> Node:
        if name not in OVER_TIME | {ABS}:
            raise self._at_place(f"no function is called {name}: {', '.join(sorted(OVER_TIME | {ABS}))}", place)
        argument = self._or()
        ahead = self._ahead() if name == "predict_linear" else 0.0
        self._expect(")")
        if not by and self._accept("by"):
            by = self._labels()
        ranged = isinstance(argument, Metric) and argument.seconds is not None
        if not ranged and name not in OVER_SERIES | {ABS}:
            raise self._at_place(f"{name} needs a metric with a range, such as {name}(requests_total[60s])", place)
        if name == ABS and (ranged or not any(metrics_of(argument))):
            raise self._at_place(f"{name} is of the newest values of a metric, or of what is made of such", place)
        if by and (name == ABS or (ranged and name not in GROWTH | QUANTILES.keys())):
            said = f"{name} of a range" if ranged else name
            raise self._at_place(f"{said} knows no `by`: it keeps all labels", place)
        return Call(name, argument, by, ahead)

    def _ahead(self) -> float:
        """How far a prediction looks."""
        self._expect(",")
        if self._kind == "duration":
            return duration(self._take())
        if self._kind != "number":
            raise self._wrong("a duration such as 4h")
        return float(self._take())

    def _by(self) -> tuple[str, ...]:
        """Labels after ``by``, up to the argument's parenthesis."""
        labels = self._labels()
        self._expect("(")
        return labels

    def _labels(self) -> tuple[str, ...]:
        labels: list[str] = []
        self._expect("(")
        while not labels or self._accept(","):
            if self._kind != "name":
                raise self._wrong("a label")
            labels.append(self._take())
        self._expect(")")
        return tuple(sorted(set(labels)))

    def _metric(self, name: str) -> Metric:
        matchers: list[Matcher] = []
        if self._accept("{"):
            while not self._accept("}"):
                matchers.append(self._matcher())
                if not self._accept(","):
                    self._expect("}")
                    break
        seconds = None
        if self._accept("["):
            if self._kind != "duration":
                raise self._wrong("a duration such as 60s")
            seconds = duration(self._take())
            self._expect("]")
        return Metric(name if name.startswith(PREFIX) else PREFIX + name, tuple(matchers), seconds)

    def _matcher(self) -> Matcher:
        if self._kind != "name":
            raise self._wrong("a label")
        label = self._take()
        sign = self._accept("=", "!=", "=~", "!~")
        if sign is None or self._kind != "string":
            raise self._wrong('`="value"`')
        place = self._tokens[self._at][2]
        value = re.sub(r"\\(.)", r"\1", self._take()[1:-1])
        if sign.endswith("~"):
            try:
                re.compile(value)
            except re.error as error:
                raise self._at_place(f"is no pattern ({error})", place) from None
        return Matcher(label, sign, value)

    def _wrong(self, expected: str) -> ExpressionError:
        found = f"`{self._word}`" if self._kind else "the end"
        return self._at_place(f"has {found} where {expected} was expected", self._tokens[self._at][2])

    def _at_place(self, what: str, place: int) -> ExpressionError:
        return ExpressionError(
            f"the expression {what}, at character {place + 1}: {self._text[:place]} >>> {self._text[place:]}"
        )


def duration(text: str) -> float:
    """Seconds of ``250ms``, ``30s``, ``5m``, ``1h``, ``3d``. Raises ExpressionError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if match is None:
        raise ExpressionError(f"{text!r} is no duration", "Write it like 250ms, 30s, 5m, 1h or 3d.")
    return float(match[1]) * UNITS[match[2]]
