"""Makes traces in a file store (`mlruns`), with what is hard to keep in files, with any MLflow from 2.22 on.

MLflow 3.14 and later need MLFLOW_ALLOW_FILE_STORE=true for it. The last line on standard output is a JSON
object from case to trace id.
"""

from __future__ import annotations

import argparse
import json
import logging
import time

import mlflow

TEXTS = {
    "quotes": """it's "both" `ticks` \\ back: colon # hash, - dash ? ! & * | > % @""",
    "lines": "first line\nsecond line\r\n  indented\ttab\n\n\nlast \n",
    "breaks": "one\u2028two \u2029three\x85four\u2028\u2028five",
    "controls": "esc\x1b[31m bell\x07 nul-ish\x01 del\x7f csi\x9b",
    "wide": "\u9867\u5ba2 \U0001f6d2 e\u0301 \u00a0nbsp \ufeffbom \u202ebidi \U0001f468\u200d\U0001f469",
    "like-null": "null",
    "like-float": "1e3",
    "like-octal": "0o17",
    "like-time": "12:30:45",
    "like-yes": "yes",
    "like-date": "2026-11-23",
    "tilde": "~",
    "empty": "",
    "space": " ",
    "long": "a long line " * 80 + "'end'",
    "indicator": "- [a, {b: c}] # no comment",
}
TAGS = {"team name": "search", "a.b-c:d": "punctuation", "ключ": "значение", "long": "v" * 5000, "empty": "",
        "lines": "one\ntwo\r\n", "wide": TEXTS["wide"]}


def trace(name: str, text: str, **tags: str) -> str:
    """A trace that has the text in all its texts."""
    with mlflow.start_span(name, span_type="CHAIN") as root:
        root.set_inputs(text)
        with mlflow.start_span("inner", span_type="LLM") as inner:
            inner.set_attributes({"text": text, "nan": float("nan")})
            inner.set_outputs({"answer": text})
        root.set_outputs(text)
        time.sleep(0.002)
        if tags:
            mlflow.update_current_trace(tags=tags)
    return root.request_id if not hasattr(root, "trace_id") else root.trace_id


def flush():
    """Waits for the traces to be written, which takes a second."""
    if hasattr(mlflow, "flush_trace_async_logging"):
        mlflow.flush_trace_async_logging()


def assess(trace_id: str):
    """Every kind of assessment, where this MLflow knows them for its file store."""
    from mlflow.entities import AssessmentError, AssessmentSource

    human, judge = AssessmentSource("HUMAN", "ann@example.com"), AssessmentSource("LLM_JUDGE", "gpt-4o")
    values = {"true": True, "int": 4, "float": 0.25, "large": 1e20, "small": 1e-9, "negative": -3,
              # One key: servers give several in any order.
              "list": [1, "two", True], "map": {"a": 1.5}}
    values |= {f"text-{name}": text for name, text in TEXTS.items()}
    for name, value in values.items():
        mlflow.log_feedback(trace_id=trace_id, name=name, value=value, source=human, rationale=TEXTS["lines"],
                            metadata={"why": TEXTS["quotes"]})
    mlflow.log_feedback(trace_id=trace_id, name="failed", source=judge,
                        error=AssessmentError("RATE_LIMIT", TEXTS["lines"], TEXTS["quotes"]))
    for name, value in {"answer": "42", "number": 7, "facts": {"a": [1, None, "x"]}}.items():
        mlflow.log_expectation(trace_id=trace_id, name=name, value=value, source=human)
    first = mlflow.log_feedback(trace_id=trace_id, name="changed", value="old", source=human)
    mlflow.override_feedback(trace_id=trace_id, assessment_id=first.assessment_id, value="new", source=human)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    options = parser.parse_args()
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(options.tracking_uri)
    client = mlflow.MlflowClient()
    three = int(mlflow.__version__.split(".")[0]) >= 3
    mlflow.set_experiment("texts")
    cases = {f"text-{name}": trace(f"text {name}", text) for name, text in TEXTS.items()}
    cases["tags"] = trace("tags", "x")
    cases["assessed"] = trace("assessed", "x")
    with mlflow.start_run():
        cases["in-run"] = trace("in run", "x")
    flush()
    for key, value in TAGS.items():
        client.set_trace_tag(cases["tags"], key, value)
    if three and hasattr(mlflow, "log_feedback"):
        try:
            assess(cases["assessed"])
        except Exception as error:  # Servers before 3.2 have no assessments.
            print("no assessments:", error)
    mlflow.set_experiment("gone")
    cases["deleted"] = trace("deleted", "x")
    flush()
    client.delete_experiment(mlflow.get_experiment_by_name("gone").experiment_id)
    mlflow.set_experiment("shop")
    for number in range(20):
        cases[f"shop-{number}"] = trace("order" if number % 3 else "return", f"question {number}", number=str(number))
    flush()
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
