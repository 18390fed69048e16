"""Makes traces that filters and orders can disagree about, on a running MLflow 3.17.2 server.

They are in the experiment `rich`: assessments of every kind and value, of single traces and of whole
sessions, links to runs, prompts and issues, odd keys and values, attributes of every type, missing times,
equal times, and OpenTelemetry traces without a name. Another experiment, `rich-neighbour`, shares a
session, a run and a prompt with it. The last line on standard output is a JSON object from case to id.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import time
import urllib.request
import uuid

import mlflow
from mlflow.entities import AssessmentError, AssessmentSource, SpanEvent

ME = AssessmentSource(source_type="HUMAN", source_id="me")
JUDGE = AssessmentSource(source_type="LLM_JUDGE", source_id="judge/1")
NAMES = ["agent", "checkout", "Agent", "a.b", "it's", "naïve", "50%_x", "a b", "", "(agent", "line\nbreak"]
QUESTIONS = ["hi", "Naïve café", 'quote " and \\ back', "line\nbreak\ttab", "emoji 😀 \x01\x7f", "<script>", "Timeout", "\u2028"]
TEAMS = ["search", "Search", "pay's", 'dq"x', "", "search ", "5", "5.0", "NULL", "ÉTÉ", "été", "back\\slash", "a%b", "%"]
VALUES = [0.8, 1, 3, True, False, "good", "Good 'q'", "é", 0.0, -2.5, "3", "yes", 1e16, 1e-7, "true", "null", '"good"',
          -0.0, 0.1 + 0.2, "0.8", "3.0", 12345678901234567890, "", "line\nbreak", "NaN", 1e300, 5e-324, "\\"]
LISTED = [["a", "b"], {"k": 1, "é": "ü"}, [1, 2.5, None, True], {"": []}]
EXPECTED = ["yes", {"b": 1, "a": [1, "x"]}, [1, 2], 5, "", True, {"é": "😀", "n": 1e-7}, 2.5, "5"]


class Api:
    """The server's own interface, for what the client can't say."""

    def __init__(self, uri: str):
        self.uri = uri

    def send(self, path: str, body: dict, **headers: str) -> dict:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        request = urllib.request.Request(self.uri + path, json.dumps(body).encode(),
                                         {"content-type": "application/json", **named})
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text.startswith(b"{") else {}

    def head(self, experiment: str, time_text: str, state: str, **more) -> str:
        """A trace without spans."""
        trace_id = more.pop("trace_id", "tr-" + uuid.uuid4().hex)
        info = {"trace_id": trace_id, "request_time": time_text, "state": state,
                "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}}
        self.send("/api/3.0/mlflow/traces", {"trace": {"trace_info": info | more}})
        return trace_id


def call(number: int, chance: random.Random):
    """One trace with up to three spans below its root."""
    with mlflow.start_span(NAMES[number % len(NAMES)], span_type=chance.choice(["AGENT", "CHAIN", "custom", "it's"])) as root:
        root.set_inputs({"q": QUESTIONS[number % len(QUESTIONS)], "n": number})
        if number % 3 == 0:
            model_call(number, chance)
        if number % 4 == 1:
            with mlflow.start_span("retrieve", span_type="RETRIEVER") as span:
                span.set_inputs("x")
                span.set_outputs([{"page_content": "doc Timeout"}])
                span.add_event(SpanEvent("note", attributes={"k": "v", "z": 1, "a": 2.5, "b": True, "l": ["x", "y"]}))
        if number % 5 == 2:
            fail_inside(number)
        mlflow.update_current_trace(tags=tags(number, chance), metadata=metadata(number, chance),
                                    client_request_id=f"crid-{number}" if number % 3 == 1 else None)
        root.set_outputs(f"out {number}")
        if number % 9 == 0:
            time.sleep(0.02)
        if number % 8 == 7:
            raise RuntimeError(f"bad {number}")


def model_call(number: int, chance: random.Random):
    with mlflow.start_span("llm", span_type="CHAT_MODEL") as span:
        span.set_attributes({
            "temperature": 0.5, "model": chance.choice(["gpt-4o", "claude"]), "deep": {"a": [1, 2.5, None, True], "é": "ü"},
            "gen_ai.request.model": chance.choice(["gpt-4o", "o1"]), "nan": float("nan"), "big": 1e20, "sm": 1e-7,
            "none": None, "flag": number % 2 == 0, "n": number, "a-b": "dash", 'q"k': "quoted key", "a`c": "tick"})
        usage = {"input_tokens": 10 + number, "output_tokens": 5, "total_tokens": 15 + number}
        if number % 4 == 0:
            usage["cache_read_input_tokens"] = number
        span.set_attribute("mlflow.chat.tokenUsage", usage)
        span.set_attribute("mlflow.llm.model", chance.choice(["gpt-4o", "claude-5"]))
        if number % 2 == 0:
            span.set_attribute("mlflow.llm.cost", {"input_cost": 0.001 * number, "output_cost": 0.5,
                                                   "total_cost": 0.5 + 0.001 * number})


def fail_inside(number: int):
    try:
        with mlflow.start_span("tool", span_type="TOOL"):
            raise ValueError('boom é "x"' if number % 2 else "")
    except ValueError:
        pass


def tags(number: int, chance: random.Random) -> dict[str, str]:
    found = {}
    if number % 3:
        found["team"] = TEAMS[number % len(TEAMS)]
    for every, key, value in [(4, "team name", "x y"), (6, "a-b/c:d", "1"), (7, "num", str(number)), (5, "ünï", "köln"),
                              (8, "NAME", "upper"), (8, "in", "keyword"), (9, "1x", "digit"), (10, "timestamp_ms", "7"),
                              (11, "a.b.c", "dots"), (12, "both", """it's "both" """), (13, "long", "v" * 5000)]:
        if number % every == 0:
            found[key] = value
    return found


def metadata(number: int, chance: random.Random) -> dict[str, str]:
    found = {"k": chance.choice(["v", "V", "1", ""])} if number % 4 == 2 else {}
    if number % 2:
        found |= {"mlflow.trace.session": f"s-{number % 3}", "mlflow.trace.user": chance.choice(["ann", "bob", "Ann"])}
    return found


def assess(ids: list[str]):
    for number, trace_id in enumerate(ids):
        if number % 2 == 0:
            mlflow.log_feedback(trace_id=trace_id, name="quality", value=VALUES[number // 2 % len(VALUES)], source=ME)
        if number % 5 == 0:
            mlflow.log_feedback(trace_id=trace_id, name="is safe", value=bool(number % 2), source=JUDGE, rationale="because")
        if number % 7 == 0:
            mlflow.log_expectation(trace_id=trace_id, name="answer", value=EXPECTED[number // 7 % len(EXPECTED)], source=ME)
        if number % 11 == 0:
            error = AssessmentError(error_code="X", error_message="m", stack_trace="at line 1")
            mlflow.log_feedback(trace_id=trace_id, name="quality", error=error, source=JUDGE)
        if number % 13 == 0:
            first = mlflow.log_feedback(trace_id=trace_id, name="ov", value=1.5, source=ME)
            mlflow.override_feedback(trace_id=trace_id, assessment_id=first.assessment_id, value=2.5)
        if number % 17 == 0:
            mlflow.log_feedback(trace_id=trace_id, name="listed", value=LISTED[number // 17 % len(LISTED)], source=ME)


def assess_sessions(ids: dict[str, list[str]]):
    """What is said of a session is said to one of its traces, and marked so in the metadata."""
    for session, value in [("s-0", 4), ("s-1", "polite"), ("s-2", False)]:
        mlflow.log_feedback(trace_id=ids[session][0], name="session_mood", value=value, source=JUDGE,
                            metadata={"mlflow.trace.session": session})
    mlflow.log_expectation(trace_id=ids["s-1"][1], name="session_answer", value={"ok": [1]}, source=ME,
                           metadata={"mlflow.trace.session": "s-1", "other": "x"})
    mlflow.log_feedback(trace_id=ids["s-2"][1], name="misfiled", value="here", source=ME,
                        metadata={"mlflow.trace.session": "s-0"})
    mlflow.log_feedback(trace_id=ids["none"][0], name="sessionless", value=1, source=ME,
                        metadata={"mlflow.trace.session": "s-1"})


def link(api: Api, ids: list[str], experiment: str) -> dict[str, str]:
    """Links to a run, to versions of prompts and to an issue, made after the fact."""
    with mlflow.start_run() as run:
        pass
    api.send("/api/2.0/mlflow/traces/link-to-run", {"trace_ids": ids[3:6], "run_id": run.info.run_id})
    for name in ["greeting", "fare.well"]:
        mlflow.genai.register_prompt(name, "hello {{x}}")
        mlflow.genai.register_prompt(name, "hello again {{x}}")
    client = mlflow.MlflowClient()
    for number, prompts in {0: ["greeting/1"], 5: ["greeting/2", "fare.well/1"], 9: ["greeting/1"]}.items():
        client.link_prompt_versions_to_trace([mlflow.genai.load_prompt(f"prompts:/{p}") for p in prompts], ids[number])
    issue = api.send("/api/3.0/mlflow/issues", {"experiment_id": experiment, "name": "too slow",
                                                "description": "answers late", "status": "pending"})["issue"]["issue_id"]
    for trace_id in ids[7:9]:
        mlflow.log_issue(trace_id=trace_id, issue_id=issue, source=JUDGE)
    return {"run": run.info.run_id, "issue": issue}


def text(key: str, value: str) -> dict:
    return {"key": key, "value": {"stringValue": value}}


def open_telemetry(api: Api, experiment: str):
    """Nameless traces: every state of a root, a child without its root, and a child from long before."""
    for number, code in enumerate([0, 1, 2, None]):
        trace_id, root_id, now = uuid.uuid4().hex, uuid.uuid4().hex[:16], time.time_ns()
        root = {"traceId": trace_id, "spanId": root_id, "name": "otlp root", "startTimeUnixNano": str(now),
                "endTimeUnixNano": str(now + 5_000_000), "status": {"code": code or 0, "message": "m" if code == 2 else ""},
                "attributes": [{"key": "d", "value": {"doubleValue": 1.5}}, text("s", "v é"),
                               {"key": "n", "value": {"intValue": "7"}}, {"key": "flag", "value": {"boolValue": True}},
                               {"key": "arr", "value": {"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": "2"}]}}}],
                "events": [{"timeUnixNano": str(now), "name": "ev", "attributes": [text("z", "v"), {"key": "a", "value": {"intValue": "3"}}]}]}
        early = 20_000_000_000 if number == 1 else 0
        child = {"traceId": trace_id, "spanId": uuid.uuid4().hex[:16], "parentSpanId": root_id, "name": "child",
                 "startTimeUnixNano": str(now - early), "endTimeUnixNano": str(now + 1_000_000)}
        body = {"resourceSpans": [{"resource": {"attributes": [text("service.name", "svc")]},
                                   "scopeSpans": [{"scope": {"name": "s"}, "spans": [child] if code is None else [root, child]}]}]}
        api.send("/v1/traces", body, x_mlflow_experiment_id=experiment)


def heads(api: Api, experiment: str):
    """Traces of which only the head was sent: without times, with equal times, with an id of their own."""
    same = "2026-11-22T20:10:01.666Z"
    for number in range(6):
        api.head(experiment, same, ["IN_PROGRESS", "OK", "ERROR"][number % 3], tags={"team": "search"},
                 trace_metadata={"k": "v"}, trace_id=f"tr-{number ^ 5:032x}", **(
                     {"execution_duration": f"{number}.250s"} if number > 2 else {}))
    api.head(experiment, "1970-01-01T00:00:00.001Z", "OK", execution_duration="0s", request_preview="first")
    api.head(experiment, "2036-02-03T04:05:06Z", "STATE_UNSPECIFIED", execution_duration="86400s",
             tags={"mlflow.traceName": "future"}, client_request_id="crid 'odd' \"id\"")
    api.head(experiment, same, "OK", execution_duration="-2.500s", tags={"mlflow.traceName": "negative"}, trace_metadata={
        "mlflow.trace.session": "s-1", "mlflow.trace.tokenUsage": json.dumps({"input_tokens": 3, "output_tokens": 0, "total_tokens": 3}),
        "mlflow.sourceRun": "0123456789abcdef0123456789abcdef"})


def traces(count: int, seed: int) -> tuple[list[str], dict[str, list[str]]]:
    """The ids in order, and by session."""
    chance, ids, by_session = random.Random(seed), [], {}
    with mlflow.start_run() as run:
        pass
    for number in range(count):
        try:
            if number % 10 == 3:
                with mlflow.start_run(run_id=run.info.run_id):
                    call(number, chance)
            else:
                call(number, chance)
        except RuntimeError:
            pass
        ids.append(mlflow.get_last_active_trace_id())
        by_session.setdefault(f"s-{number % 3}" if number % 2 else "none", []).append(ids[-1])
    mlflow.flush_trace_async_logging()
    return ids, by_session


def make_rich(server: str) -> dict[str, str]:
    mlflow.set_tracking_uri(server)
    api = Api(server)
    mlflow.set_experiment("rich-neighbour")
    _, sessions = traces(8, 2)
    mlflow.log_feedback(trace_id=sessions["s-0"][0], name="neighbourly", value=1, source=ME,
                        metadata={"mlflow.trace.session": "s-0"})
    experiment = mlflow.set_experiment("rich").experiment_id
    ids, sessions = traces(72, 5)
    assess(ids)
    assess_sessions(sessions)
    cases = link(api, ids, experiment)
    open_telemetry(api, experiment)
    heads(api, experiment)
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    options = parser.parse_args()
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    print(json.dumps(make_rich(options.tracking_uri.rstrip("/"))))


if __name__ == "__main__":
    main()
