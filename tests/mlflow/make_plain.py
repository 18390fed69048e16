"""Makes a few traces with any MLflow from 2.14 on, with nothing newer than manual spans.

The last line on standard output is a JSON object from case to trace id.
"""

from __future__ import annotations

import argparse
import json
import time

import mlflow


@mlflow.trace(name="lookup", span_type="RETRIEVER")
def lookup(question: str) -> list:
    time.sleep(0.02)
    return [{"page_content": "Returns are free for 30 days.", "metadata": {"doc_uri": "returns.md"}}]


@mlflow.trace(name="generate", span_type="LLM")
def generate(question: str, fail: bool) -> str:
    time.sleep(0.04)
    if fail:
        raise ValueError("the model is overloaded")
    return "30 days"


@mlflow.trace(name="answer", span_type="CHAIN")
def answer(question: str, fail: bool = False) -> str:
    lookup(question)
    return generate(question, fail)


def newest(client, experiment_id: str) -> str:
    trace = client.search_traces([experiment_id], max_results=1, order_by=["timestamp_ms DESC"])[0]
    return getattr(trace.info, "trace_id", None) or trace.info.request_id


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    options = parser.parse_args()
    mlflow.set_tracking_uri(options.tracking_uri)
    experiment = mlflow.set_experiment("plain").experiment_id
    client = mlflow.MlflowClient()
    cases = {}
    for case, fail in [("good", False), ("bad", True), ("tagged", False)]:
        try:
            answer(f"how long can I return it? ({case})", fail=fail)
        except ValueError:
            pass
        if hasattr(mlflow, "flush_trace_async_logging"):
            mlflow.flush_trace_async_logging()
        cases[case] = newest(client, experiment)
        client.set_trace_tag(cases[case], "case", case)
        time.sleep(0.05)
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
