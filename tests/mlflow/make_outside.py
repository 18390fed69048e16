"""Makes traces whose spans a running MLflow 3.17.2 server's own filters do not see, or not all of them.

All are in the experiment `outside`: with spans in the table, among the artifacts (as from the TypeScript client and
before MLflow 3.6), from OpenTelemetry's protocol, and archived. The server's database is `mlflow.db` in the current
folder, its artifacts are in `artifacts`, and the archive is in `archive`. The last line on standard output is a JSON
object from case to trace id.
"""

from __future__ import annotations

import argparse
import base64
import json
import sqlite3
import urllib.request
from pathlib import Path

import mlflow
from mlflow.entities import Span
from mlflow.tracing.otel.otel_archival import spans_to_traces_data_pb

START = 1_795_000_000_000_000_000


def post(uri: str, path: str, body: dict, headers: dict | None = None) -> None:
    """Sends JSON."""
    request = urllib.request.Request(
        uri + path, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
    )
    urllib.request.urlopen(request).read()


def tracked(name: str, inner: str, kind: str, fails: bool) -> str:
    """A trace of the Python client."""
    try:
        with mlflow.start_span(name, span_type="CHAIN") as root:
            with mlflow.start_span(inner, span_type=kind) as span:
                span.set_attribute("size", 7)
                if fails:
                    raise TimeoutError("no answer")
    except TimeoutError:
        pass
    mlflow.flush_trace_async_logging()
    return root.trace_id


def kept_as_artifact(uri: str, experiment: str, number: int, kind: str) -> str:
    """A trace whose spans are a file."""
    trace_id = f"tr-{number:032x}"
    post(uri, "/api/3.0/mlflow/traces", {"trace": {"trace_info": {
        "trace_id": trace_id,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
        "request_time": "2026-11-18T11:06:40.000Z", "execution_duration": "2s", "state": "OK",
        "trace_metadata": {"mlflow.trace_schema.version": "3",
                           "mlflow.trace.sizeStats": json.dumps({"total_size_bytes": 900, "num_spans": 2})},
        "tags": {"mlflow.traceName": "typescript"},
    }}})
    encoded = lambda value, size: base64.b64encode(value.to_bytes(size, "big")).decode()
    spans = [
        {"trace_id": encoded(number, 16), "span_id": encoded(at, 8), "parent_span_id": encoded(1, 8) if at > 1 else "",
         "name": name, "start_time_unix_nano": START, "end_time_unix_nano": START + 2_000_000_000 // at,
         "status": {"code": "STATUS_CODE_OK", "message": ""}, "events": [], "links": [],
         "attributes": {"mlflow.traceRequestId": trace_id, "mlflow.spanType": span_kind, "size": 7}}
        for at, name, span_kind in [(1, "root", "CHAIN"), (2, "inner", kind)]
    ]
    folder = Path("artifacts", experiment, "traces", trace_id, "artifacts")
    folder.mkdir(parents=True)
    (folder / "traces.json").write_text(json.dumps({"spans": spans}))
    return trace_id


def of_opentelemetry(uri: str, experiment: str, number: int) -> str:
    """A trace with types that are not in the table: one that MLflow infers, and none."""
    span = lambda at, name, attributes: {
        "traceId": f"{number:032x}", "spanId": f"{at:016x}", **({"parentSpanId": f"{1:016x}"} if at > 1 else {}),
        "name": name, "startTimeUnixNano": str(START), "endTimeUnixNano": str(START + 1_000_000 * at),
        "status": {"code": 1},
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }
    spans = [span(1, "otel", {"gen_ai.operation.name": "chat"}), span(2, "inner", {})]
    post(uri, "/v1/traces", {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": spans}]}]},
         {"x-mlflow-experiment-id": experiment})
    return f"tr-{number:032x}"


def archive(trace_id: str) -> None:
    """What MLflow does to archive a trace: the JSON of its spans goes, the rest of the rows stays."""
    folder = Path("archive", trace_id, "artifacts").absolute()
    folder.mkdir(parents=True)
    with sqlite3.connect("mlflow.db") as database:
        rows = database.execute("SELECT content FROM spans WHERE trace_id = ?", (trace_id,)).fetchall()
        spans = [Span.from_dict(json.loads(content)) for (content,) in rows]
        (folder / "traces.pb").write_bytes(spans_to_traces_data_pb(spans))
        database.execute("UPDATE spans SET content = '' WHERE trace_id = ?", (trace_id,))
        for key, value in [("spansLocation", "ARCHIVE_REPO"), ("archiveLocation", folder.as_uri())]:
            database.execute("INSERT OR REPLACE INTO trace_tags (key, value, request_id) VALUES (?, ?, ?)",
                             (f"mlflow.trace.{key}", value, trace_id))


def main() -> None:
    """Makes all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracking-uri", required=True)
    uri = parser.parse_args().tracking_uri
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.set_experiment("outside").experiment_id
    cases = {
        "table": tracked("table", "inner", "LLM", fails=False),
        "table-failed": tracked("table-failed", "other", "TOOL", fails=True),
        "artifact": kept_as_artifact(uri, experiment, 1, "LLM"),
        "artifact-tool": kept_as_artifact(uri, experiment, 2, "TOOL"),
        "otel": of_opentelemetry(uri, experiment, 3),
        "archived": tracked("archived", "inner", "LLM", fails=False),
        "archived-failed": tracked("archived-failed", "inner", "TOOL", fails=True),
    }
    for case in ["archived", "archived-failed"]:
        archive(cases[case])
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
