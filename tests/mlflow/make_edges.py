"""Makes traces that are hard to read, draw or print on a running MLflow 3.17.2 server.

All are in the experiment `edges`, and the tag `case` of each says which one it is. The last line on
standard output is a JSON object from case to trace id.
"""

from __future__ import annotations

import argparse
import json
import logging
import secrets
import time
import urllib.request
from contextlib import ExitStack
from datetime import datetime, timezone

import mlflow
from mlflow.entities import SpanEvent

ESC, BEL = "\x1b", "\x07"
LINK = f"{ESC}]8;;https://example.com/{ESC}\\click{ESC}]8;;{ESC}\\"
CLIPBOARD = f"{ESC}]52;c;ZWNobyBwd25lZA=={BEL}"
HOSTILE = {
    "ansi": f"{ESC}[31mred{ESC}[0m {ESC}[2J{ESC}[1;1Hhome",
    "osc": f"{LINK} {CLIPBOARD} {ESC}]0;title{BEL}",
    "bidi": "invoice\u202egpj.exe \u2066isolated\u2069 \u200fmark \u061cend",
    "whitespace": "first line\nsecond line\r\nthird\ttabbed\u2028separated \u00a0 \u3000wide",
    "controls": "bell\x07 back\x08\x08 del\x7f csi\x9b31m nel\x85 vt\x0b ff\x0c so\x0e esc\x1b",
    "zero-width": "a\u200bb\u200dc\ufeffd\u00ade\u2060f",
    "emoji": "\U0001f6d2 cart \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e6\U0001f1f9 "
             "\U0001f44d\U0001f3fd \u2764\ufe0f 1\ufe0f\u20e3",
    "combining": "e\u0301clair Z\u0351\u036b\u0343\u0344a\u0327\u0308\u0323lgo "
                 "\u0915\u094d\u0937\u093f \u1112\u1161\u11ab",
    "wide": "\u9867\u5ba2\u306e\u8cea\u554f\u306b\u7b54\u3048\u308b \uff21\uff22\uff23 \uc8fc\ubb38 \u8fd4\u54c1",
    "long": "long-" + "name-" * 599 + "end",
    "formula-equals": "=cmd|' /C calc'!A0",
    "formula-plus": "+1+1",
    "formula-minus": "-2+3",
    "formula-at": "@SUM(1+1)*2",
    "formula-tab": "\t=1+1",
    "quotes": """it's "both" `ticks` \\ back, comma; semi|pipe""",
    "markup": "<script>alert(1)</script> [bold]x[/bold] {{x}} %s {} $HOME `id`",
    "empty-name": "",
}


def ms(count: int) -> int:
    """Milliseconds in nanoseconds."""
    return count * 1_000_000


def hostile(text: str) -> str:
    """A trace that has the text in every place that a program writes."""
    with mlflow.start_span(text, span_type=text[:200] or "LLM") as root:
        root.set_inputs({text[:300]: text, "messages": [{"role": "user", "content": text}]})
        root.set_attribute(text[:200] or "empty", text)
        root.add_event(SpanEvent(text or "event", attributes={"text": text}))
        mlflow.update_current_trace(tags={"hostile": text[:4000]}, metadata={"hostile": text[:250]})
        try:
            with mlflow.start_span(text, span_type="TOOL"):
                raise RuntimeError(text)
        except RuntimeError:
            pass
        root.set_outputs(text)
    return root.trace_id


def deep(levels: int) -> str:
    with ExitStack() as stack:
        root = stack.enter_context(mlflow.start_span("deep"))
        for level in range(1, levels):
            stack.enter_context(mlflow.start_span(f"level {level}", span_type="CHAIN"))
    return root.trace_id


def wide(children: int) -> str:
    with mlflow.start_span("wide") as root:
        for number in range(children):
            with mlflow.start_span(f"child {number}", span_type="TOOL" if number % 3 else "LLM"):
                pass
    return root.trace_id


def recursion(depth: int = 5) -> str:
    """The same function inside itself, twice at each level."""

    @mlflow.trace(name="solve", span_type="AGENT")
    def solve(level: int) -> int:
        time.sleep(0.004)
        return 1 if level == 0 else solve(level - 1) + (solve(0) if level % 2 else 0)

    solve(depth)
    return mlflow.get_last_active_trace_id()


def detached() -> str:
    """Children that end after their parent, one of them after the root."""
    now = time.time_ns()
    root = mlflow.start_span_no_context("root", start_time_ns=now)
    short = mlflow.start_span_no_context("short-parent", parent_span=root, start_time_ns=now + ms(10))
    late = mlflow.start_span_no_context("late-child", parent_span=short, start_time_ns=now + ms(20))
    later = mlflow.start_span_no_context("later-than-root", parent_span=root, start_time_ns=now + ms(30))
    short.end(end_time_ns=now + ms(40))
    late.end(end_time_ns=now + ms(90))
    later.end(end_time_ns=now + ms(200))
    root.end(end_time_ns=now + ms(100))
    return root.trace_id


def zero_duration() -> str:
    now = time.time_ns()
    root = mlflow.start_span_no_context("instant", start_time_ns=now)
    mlflow.start_span_no_context("instant-child", parent_span=root, start_time_ns=now).end(end_time_ns=now)
    root.end(end_time_ns=now)
    return root.trace_id


def below_a_millisecond() -> str:
    now = time.time_ns()
    root = mlflow.start_span_no_context("quick", start_time_ns=now)
    child = mlflow.start_span_no_context("quicker", parent_span=root, start_time_ns=now + 1_000)
    child.end(end_time_ns=now + 1_700)
    root.end(end_time_ns=now + 250_000)
    return root.trace_id


def not_a_number() -> str:
    with mlflow.start_span("not-a-number") as root:
        root.set_attributes({"nan": float("nan"), "infinity": float("inf"), "in-list": [1.5, float("-inf")]})
        root.set_outputs({"score": float("nan")})
    return root.trace_id


def odd_attributes() -> str:
    """Odd values. OTLP can't hold the large integer, so the spans end up in the artifact store only."""
    with mlflow.start_span("odd-attributes") as root:
        root.set_attributes({"none": None, "big": 2**63, "negative": -0.0, "text": "not json",
                             "bytes": b"\x00\xff", "list": [1, [2, None]]})
        root.set_inputs([1, "two", None])
        root.set_outputs(None)
    return root.trace_id


def odd_tags() -> str:
    with mlflow.start_span("odd-tags") as root:
        mlflow.update_current_trace(tags={
            "both quotes": """it's "quoted" """,
            "ключ с пробелом": "значение",
            "a.b-c/d:e": "punctuation",
            "in": "keyword",
            "order": "1",
            "empty": "",
            "long": "v" * 5000,
        })
    return root.trace_id


def attribute(key: str, value: str) -> dict:
    return {"key": key, "value": {"stringValue": value}}


class Otlp:
    """Sends hand-made OTLP/JSON spans of one trace."""

    def __init__(self, server: str, experiment_id: str):
        self.server, self.experiment_id = server, experiment_id
        self.trace, self.spans, self.now = secrets.token_hex(16), [], time.time_ns()

    def span(self, name: str, start: int, end: int | None, parent: str | None = None, **more) -> str:
        """Adds a span, with times in ms from now; gives its id."""
        span = {"traceId": self.trace, "spanId": secrets.token_hex(8), "name": name, "kind": 1,
                "startTimeUnixNano": str(self.now + ms(start)), **more}
        if end is not None:
            span["endTimeUnixNano"] = str(self.now + ms(end))
        if parent:
            span["parentSpanId"] = parent
        self.spans.append(span)
        return span["spanId"]

    def send(self) -> str:
        body = {"resourceSpans": [{"resource": {"attributes": [attribute("service.name", "edge-client")]},
                                   "scopeSpans": [{"scope": {"name": "edges"}, "spans": self.spans}]}]}
        request(self.server + "/v1/traces", body, {"x-mlflow-experiment-id": self.experiment_id})
        return "tr-" + self.trace


def request(url: str, body: dict, headers: dict | None = None) -> bytes:
    data = json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(
            url, data, {"content-type": "application/json", **(headers or {})})) as answer:
        return answer.read()


def in_progress(trace: Otlp) -> str:
    trace.span("only-child", 0, 120, parent=secrets.token_hex(8))
    return trace.send()


def no_end(trace: Otlp) -> str:
    root = trace.span("never-ended", 0, None)
    trace.span("ended", 5, 60, parent=root)
    return trace.send()


def orphans(trace: Otlp) -> str:
    root = trace.span("root", 0, 300)
    trace.span("child", 10, 100, parent=root)
    lost = trace.span("orphan", 110, 200, parent=secrets.token_hex(8))
    trace.span("orphan's child", 120, 180, parent=lost)
    trace.span("other orphan", 210, 290, parent=secrets.token_hex(8))
    return trace.send()


def two_roots(trace: Otlp) -> str:
    trace.span("first root", 0, 100)
    trace.span("second root", 150, 400)
    return trace.send()


def skewed_clock(trace: Otlp) -> str:
    root = trace.span("root", 0, 200)
    trace.span("starts-before-root", -50, 80, parent=root)
    trace.span("ends-before-it-starts", 100, 60, parent=root)
    return trace.send()


def linked(trace: Otlp) -> str:
    other = {"traceId": secrets.token_hex(16), "spanId": secrets.token_hex(8),
             "attributes": [attribute("kind", "retry")]}
    trace.span("linked", 0, 50, links=[other])
    return trace.send()


def cycle(trace: Otlp) -> str:
    root = trace.span("root", 0, 90)
    first = trace.span("first", 10, 80, parent=root)
    second = trace.span("second", 20, 70, parent=first)
    trace.spans[1]["parentSpanId"] = second
    return trace.send()


def without_spans(server: str, experiment_id: str) -> str:
    """A trace of which only the head was ever sent."""
    trace_id = "tr-" + secrets.token_hex(16)
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    info = {"trace_id": trace_id, "request_time": now, "execution_duration": "1.250s", "state": "ERROR",
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}},
            "request_preview": "lost", "tags": {"mlflow.traceName": "no-spans"}}
    request(server + "/api/3.0/mlflow/traces", {"trace": {"trace_info": info}})
    return trace_id


def make_edges(server: str) -> dict[str, str]:
    mlflow.set_tracking_uri(server)
    experiment_id = mlflow.set_experiment("edges").experiment_id
    cases = {f"hostile-{name}": hostile(text) for name, text in HOSTILE.items()}
    cases |= {"deep": deep(120), "wide": wide(400), "recursion": recursion(), "detached": detached(),
              "zero-duration": zero_duration(), "below-a-millisecond": below_a_millisecond(),
              "not-a-number": not_a_number(), "odd-tags": odd_tags()}
    # On its own: spans sent together with one that OTLP can't hold would share its fate.
    mlflow.flush_trace_async_logging()
    cases["odd-attributes"] = odd_attributes()
    mlflow.flush_trace_async_logging()
    for make in (in_progress, no_end, orphans, two_roots, skewed_clock, linked, cycle):
        cases[make.__name__.replace("_", "-")] = make(Otlp(server, experiment_id))
    cases["no-spans"] = without_spans(server, experiment_id)
    mlflow.flush_trace_async_logging()
    for case, trace_id in cases.items():
        mlflow.set_trace_tag(trace_id, "case", case)
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    options = parser.parse_args()
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    print(json.dumps(make_edges(options.tracking_uri.rstrip("/"))))


if __name__ == "__main__":
    main()
