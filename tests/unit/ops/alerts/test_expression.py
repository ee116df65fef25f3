"""What expressions parse to, what is refused and where, and that PromQL says the same."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ops.alerts.expression import (
    COMPARISONS,
    Binary,
    Call,
    ExpressionError,
    Matcher,
    Metric,
    Node,
    Number,
    duration,
    metrics_of,
    parse,
)
from streams.ops.alerts.promql import promql


def test_a_tree_is_what_the_text_says() -> None:
    assert parse('cpu_usage_percent{target="a"} > 80') == Binary(
        ">", Metric("monmouth_cpu_usage_percent", (Matcher("target", "=", "a"),)), Number(80.0)
    )
    assert parse("rate(monmouth_errors_total[5m])") == Call("rate", Metric("monmouth_errors_total", (), 300.0))
    assert parse("1 + 2 * 3 - 4") == Binary("-", Binary("+", Number(1), Binary("*", Number(2), Number(3))), Number(4))
    assert parse("a > 1 or b > 2 and c > 3") == parse("a > 1 or (b > 2 and c > 3)")
    assert parse("-a < 0") == Binary("<", Binary("-", Number(0.0), Metric("monmouth_a")), Number(0.0))
    assert parse("- - 2") == Number(2.0)
    assert parse("a > 1 unless b > 2 or c > 3") == parse("(a > 1 unless b > 2) or c > 3")
    assert parse("max(x) by (a, b)") == parse("max by (b, a) (x)")
    assert parse("rate(x[1m]) by (l)") == Call("rate", Metric("monmouth_x", (), 60.0), ("l",))
    assert parse("predict_linear(x[1h], 4h)") == parse("predict_linear(x[1h], 14400)")
    assert parse("max by (b, a) (x)") == Call("max", Metric("monmouth_x"), ("a", "b"))


def test_short_names_look_at_the_rules_window() -> None:
    assert parse("latency_p95_ms > 100", "5m") == parse("p95(rag_query_latency_ms[5m]) > 100")
    assert {metric.seconds for metric in metrics_of(parse("availability_percentage < 99", "10m"))} == {600.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has the end where"),
        ("a >", "has the end where"),
        ("a > 1 2", "has `2` where the end"),
        ("a & b", "cannot be read, at character 3"),
        ("median(a[1m]) > 1", "no function is called median"),
        ("rate(a) > 1", "rate needs a metric with a range"),
        ("p95(a + b) > 1", "p95 needs a metric with a range"),
        ("a[60] > 1", "a duration such as 60s"),
        ("max by () (a) > 1", "has `)` where a label"),
        ("max by (l) a > 1", "has `a` where `(`"),
        ("max by (l) (a[1m]) > 1", "max of a range knows no `by`"),
        ("max(a[1m]) by (l) > 1", "max of a range knows no `by`"),
        ("abs(a) by (l) > 1", "abs knows no `by`"),
        ("abs(a[1m]) > 1", "abs is of the newest values"),
        ("abs(2) > 1", "abs is of the newest values"),
        ("predict_linear(a[1m]) > 1", "has `)` where `,`"),
        ("predict_linear(a[1m], b) > 1", "a duration such as 4h"),
        ("predict_linear(a, 4h) > 1", "predict_linear needs a metric with a range"),
        ("deriv(a) > 1", "deriv needs a metric with a range"),
        ("sum(a) by (l", "has the end where `)`"),
        ("a unless unless b", "a number, a metric or a function"),
        ("rate by (l) (a) > 1", "rate needs a metric with a range"),
        ('a{x=~"("} > 1', "is no pattern"),
        ("a{x=1} > 1", '`="value"`'),
        ("a{x} > 1", '`="value"`'),
        ("(a > 1", "`)`"),
        ("a and or b", "a number, a metric or a function"),
        ("(" * 40 + "a" + ")" * 40, "nests deeper"),
        ("a" * 2_001, "2001 characters"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text)
    assert said in refused.value.message


def test_durations() -> None:
    assert [duration(text) for text in ("250ms", "30s", "5m", "1h", "3d")] == [0.25, 30.0, 300.0, 3_600.0, 259_200.0]
    for wrong in ("5", "m", "5 m", "-5m", "5w"):
        with pytest.raises(ExpressionError):
            duration(wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("memory_usage_mb > 8192", "(monmouth_memory_usage_mb) > (8192)"),
        ("avg(a[2m]) > 1", "(avg_over_time(monmouth_a[120000ms])) > (1)"),
        ('sum(rate(a{s!~"2.."}[1m])) > 1', '(sum(rate(monmouth_a{s!~"2.."}[60000ms]))) > (1)'),
        ("p99(a[1m]) > 1", "(histogram_quantile(0.99, increase(monmouth_a_bucket[60000ms]))) > (1)"),
        ("a > 1 and sum(b) > 2", "((monmouth_a) > (1)) and on() ((sum(monmouth_b)) > (2))"),
        ("sum(b) > 2 and a > 1", "((monmouth_a) > (1)) and on() ((sum(monmouth_b)) > (2))"),
        ("max by (l,k) (a) > 1", "(max by (k, l) (monmouth_a)) > (1)"),
        ("max by (l) (a) > 1 and sum(b) > 2", "((max by (l) (monmouth_a)) > (1)) and on() ((sum(monmouth_b)) > (2))"),
        ("target_up < 1", '(up{job=~".*monmouth.*"}) < (1)'),
    ],
)
def test_promql(text: str, said: str) -> None:
    assert promql(parse(text)) == said


@pytest.mark.parametrize("text", ["1 > 0", "a > 1 and 1", "1 or 2"])
def test_what_promql_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="no counterpart"):
        promql(parse(text))


names = st.sampled_from(["a", "errors_total", "x:y"])
ranged = st.builds(lambda name, seconds: Metric(f"monmouth_{name}", (), seconds), names, st.sampled_from([1.0, 60.0, 300.0]))
leaves = (
    st.builds(Number, st.floats(0, 1e6).map(lambda value: round(value, 3)))
    | st.builds(lambda name: Metric(f"monmouth_{name}"), names)
    | st.builds(lambda name: Metric(f"monmouth_{name}", (Matcher("l", "=~", 'a"b\\\\'),)), names)
    | st.builds(Call, st.sampled_from(["rate", "p95", "max", "delta"]), ranged)
    | st.builds(lambda name: Call("min", Metric(f"monmouth_{name}"), ("k", "l")), names)
)
signs = st.sampled_from([*COMPARISONS, "and", "or", "+", "-", "*", "/"])
trees = st.recursive(leaves, lambda inner: st.builds(Binary, signs, inner, inner), max_leaves=6)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(node: Node) -> str:
    match node:
        case Number(value=value):
            return f"{value:.3f}"
        case Metric(name=name, matchers=matchers, seconds=seconds):
            labels = ",".join(m.label + m.sign + quoted(m.value) for m in matchers)
            return name + (f"{{{labels}}}" if labels else "") + (f"[{seconds:.0f}s]" if seconds else "")
        case Call(function=function, argument=argument, by=by):
            grouping = f" by ({', '.join(by)}) " if by else ""
            return f"{function}{grouping}({written(argument)})"
        case Binary(sign=sign, left=left, right=right):
            return f"({written(left)}) {sign} ({written(right)})"


@given(trees)
def test_a_tree_written_down_parses_to_itself(tree: Node) -> None:
    assert parse(written(tree)) == tree


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    with suppress(ExpressionError):
        parse(text)
