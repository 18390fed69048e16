"""Makes a large MLflow 3.17.2 SQLite store for measurements.

MLflow itself makes the schema and the experiments; the rows are then written directly, in the form that
MLflow writes them. Experiment `bench` gets many traces of four spans, experiment `big` one trace of very
many spans. Prints a JSON object with the ids.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

END_MS = 1_795_000_000_000
MONTH_MS = 30 * 24 * 3600 * 1000
NAMES = ["support-agent", "rag-answer", "checkout", "summarise-ticket", "order-helper", "translate"]
QUESTIONS = ["Where is my order?", "How long can I return an article?", "Do you ship to Switzerland?",
             "Can I pay by invoice?", "The kettle arrived broken, what now?"]
WORDS = "the parcel order refund is within days of delivery and customer asked for a return label to depot".split()
MODEL = "gpt-4o-mini"


@dataclass
class Span:
    """One span; times are in nanoseconds."""

    name: str
    kind: str
    start: int
    end: int
    id: bytes
    parent: bytes | None
    status: str = "OK"
    attributes: dict = field(default_factory=dict)

    def content(self, trace_id: str) -> str:
        attributes = {"mlflow.traceRequestId": trace_id, "mlflow.spanType": self.kind, **self.attributes,
                      "mlflow.spanLogLevel": 40 if self.status == "ERROR" else 20}
        return json.dumps({
            "trace_id": encoded(bytes.fromhex(trace_id[3:])),
            "span_id": encoded(self.id),
            "parent_span_id": self.parent and encoded(self.parent),
            "name": self.name,
            "start_time_unix_nano": self.start,
            "end_time_unix_nano": self.end,
            "events": self.events(),
            "status": {"code": f"STATUS_CODE_{self.status}", "message": "ToolError: no answer" if self.events() else ""},
            "attributes": {key: json.dumps(value) for key, value in attributes.items()},
            "links": [],
        })

    def events(self) -> list[dict]:
        if self.status != "ERROR":
            return []
        trace = 'Traceback (most recent call last):\n  File "/app/shop.py", line 88, in call\nToolError: no answer\n'
        return [{"name": "exception", "time_unix_nano": self.end, "attributes": {
            "exception.type": "ToolError", "exception.message": "no answer", "exception.stacktrace": trace}}]

    def row(self, trace_id: str, experiment: int) -> tuple:
        costs, model = self.attributes.get("mlflow.llm.cost", {}), self.attributes.get("mlflow.llm.model")
        return (trace_id, experiment, self.id.hex(), self.parent and self.parent.hex(), self.name, self.kind,
                self.status, self.start, self.end, self.content(trace_id), costs.get("input_cost"),
                costs.get("output_cost"), costs.get("total_cost"), model)


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


class Maker:
    """Makes spans of one trace at random, with reproducible chances."""

    def __init__(self, chance: random.Random, text_words: int):
        self.chance, self.text_words, self.spans = chance, text_words, []

    def add(self, name: str, kind: str, start: int, end: int, parent: Span | None, **attributes) -> Span:
        named = {"mlflow." + key if key.startswith("span") else key: value for key, value in attributes.items()}
        span = Span(name, kind, start, end, self.chance.randbytes(8), parent and parent.id, attributes=named)
        self.spans.append(span)
        return span

    def text(self, words: int | None = None) -> str:
        return " ".join(self.chance.choices(WORDS, k=words or self.text_words))

    def ns(self, low_ms: float, high_ms: float) -> int:
        return int(self.chance.uniform(low_ms, high_ms) * 1_000_000)

    def llm(self, name: str, start: int, end: int, parent: Span) -> Span:
        span = self.add(name, "CHAT_MODEL", start, end, parent, model=MODEL, temperature=0.2,
                        spanInputs={"model": MODEL, "messages": [
                            {"role": "system", "content": self.text()},
                            {"role": "user", "content": self.chance.choice(QUESTIONS)}]},
                        spanOutputs={"choices": [{"index": 0, "finish_reason": "stop",
                                                  "message": {"role": "assistant", "content": self.text()}}]})
        prompt, answer = self.chance.randrange(40, 3000), self.chance.randrange(5, 600)
        span.attributes |= {
            "mlflow.message.format": "openai", "mlflow.llm.model": MODEL,
            "mlflow.chat.tokenUsage": {"input_tokens": prompt, "output_tokens": answer, "total_tokens": prompt + answer},
            "mlflow.llm.cost": {"input_cost": prompt * 1.5e-7, "output_cost": answer * 6e-7,
                                "total_cost": prompt * 1.5e-7 + answer * 6e-7}}
        return span

    def retriever(self, start: int, end: int, parent: Span) -> Span:
        return self.add("vector-search", "RETRIEVER", start, end, parent, top_k=3,
                        spanInputs={"question": self.chance.choice(QUESTIONS)},
                        spanOutputs=[{"page_content": self.text(), "metadata": {"doc_uri": f"doc-{i}", "score": 0.9 - i / 10},
                                      "id": None} for i in range(3)])

    def tool(self, start: int, end: int, parent: Span) -> Span:
        name = self.chance.choice(["lookup_order", "track_parcel", "stock_level", "refund_status"])
        return self.add(name, "TOOL", start, end, parent, spanFunctionName=name,
                        spanInputs={"order_id": f"A-{self.chance.randrange(10_000)}"}, spanOutputs={"state": self.text()})


def small_trace(seed: int, number: int, text_words: int) -> tuple[str, str, list[Span]]:
    """A root with a retriever, a tool and a model call; gives trace id, name and spans."""
    chance = random.Random(f"{seed}/{number}")
    maker = Maker(chance, text_words)
    trace_id, name = f"tr-{chance.getrandbits(128):032x}", chance.choice(NAMES)
    start = (END_MS - chance.randrange(MONTH_MS)) * 1_000_000 + chance.randrange(1_000_000)
    length = int(min(60_000, chance.lognormvariate(6.5, 1.0)) * 1_000_000) + 2_000_000
    root = maker.add(name, "AGENT", start, start + length, None, spanInputs={"question": chance.choice(QUESTIONS)})
    maker.retriever(start + length // 100, start + length // 4, root)
    tool = maker.tool(start + length // 4, start + length // 2, root)
    maker.llm("Completions", start + length // 2, start + length * 99 // 100, root)
    root.attributes["mlflow.spanOutputs"] = maker.text()
    if chance.random() < 0.08:
        root.status = tool.status = "ERROR"
    return trace_id, name, maker.spans


def big_trace(seed: int, count: int, text_words: int) -> tuple[str, str, list[Span]]:
    """An agent with steps of fifty spans: a plan, then twelve tool calls, four at a time, with their own calls."""
    chance = random.Random(f"{seed}/big")
    maker = Maker(chance, text_words)
    trace_id = f"tr-{chance.getrandbits(128):032x}"
    start = now = (END_MS - 3_600_000) * 1_000_000
    root = maker.add("nightly-research", "AGENT", start, start, None, spanInputs={"job": "research", "limit": count})
    step_number = 0
    while len(maker.spans) < count:
        step_number += 1
        now = add_step(maker, step_number, now, root)
    root.end = now + maker.ns(1, 5)
    root.attributes["mlflow.spanOutputs"] = {"steps": step_number}
    return trace_id, "nightly-research", maker.spans[:count]


def add_step(maker: Maker, number: int, start: int, root: Span) -> int:
    """Adds a step of fifty spans and gives the time at which it ends."""
    step = maker.add(f"step {number}", "CHAIN", start, start, root, spanInputs={"step": number})
    now = start + maker.ns(0.1, 2)
    plan = maker.llm("plan", now, now + maker.ns(100, 900), step)
    now = plan.end
    for _ in range(3):
        now = max(add_tool_call(maker, now + maker.ns(0.05, 1), step) for _ in range(4))
    step.end = now + maker.ns(0.1, 3)
    step.attributes["mlflow.spanOutputs"] = maker.text()
    return step.end


def add_tool_call(maker: Maker, start: int, step: Span) -> int:
    tool = maker.tool(start, start, step)
    search = maker.retriever(start + maker.ns(0.1, 1), start + maker.ns(20, 120), tool)
    embed = maker.add("Embeddings", "EMBEDDING", search.start, search.start + (search.end - search.start) // 2, search,
                      spanInputs={"input": maker.text(8)}, spanOutputs=[round(maker.chance.uniform(-1, 1), 4) for _ in range(24)])
    judge = maker.llm("judge", max(search.end, embed.end), search.end + maker.ns(50, 400), tool)
    tool.end = judge.end + maker.ns(0.05, 1)
    if maker.chance.random() < 0.01:
        tool.status = "ERROR"
    return tool.end


def usage(spans: list[Span]) -> dict:
    """The sums that MLflow keeps in the columns of a trace."""
    totals = {key: 0 for key in ("input_tokens", "output_tokens", "total_tokens", "input_cost", "output_cost", "total_cost")}
    for span in spans:
        for source in ("mlflow.chat.tokenUsage", "mlflow.llm.cost"):
            for key, value in span.attributes.get(source, {}).items():
                totals[key] += value
    return totals


def trace_row(trace_id: str, name: str, spans: list[Span], experiment: int, session: str | None) -> tuple:
    root = spans[0]
    start_ms, end_ms = root.start // 1_000_000, root.end // 1_000_000
    request = json.dumps(root.attributes["mlflow.spanInputs"])
    response = json.dumps(root.attributes["mlflow.spanOutputs"])
    return (trace_id, experiment, start_ms, end_ms - start_ms, root.status, request[:1000], response[:1000], 1, name,
            session, *usage(spans).values())


def tag_rows(trace_id: str, experiment: int, number: int) -> list[tuple]:
    tags = {"mlflow.artifactLocation": f"mlflow-artifacts:/{experiment}/traces/{trace_id}/artifacts",
            "mlflow.trace.spansLocation": "TRACKING_STORE", "env": "prod" if number % 4 else "staging",
            "team": ("search", "support", "checkout")[number % 3]}
    return [(key, value, trace_id) for key, value in tags.items()]


def metadata_rows(trace_id: str, spans: list[Span], number: int) -> list[tuple]:
    root = spans[0]
    metadata = {"mlflow.trace_schema.version": "3", "mlflow.user": "shop", "mlflow.source.name": "shop.py",
                "mlflow.source.type": "LOCAL", "mlflow.trace.infoFinalized": "true",
                "mlflow.trace.user": f"user-{number % 97}",
                "mlflow.traceInputs": json.dumps(root.attributes["mlflow.spanInputs"])[:250],
                "mlflow.traceOutputs": json.dumps(root.attributes["mlflow.spanOutputs"])[:250]}
    return [(key, value, trace_id) for key, value in metadata.items()]


TRACE_SQL = """INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status,
    request_preview, response_preview, db_payload_generation, trace_name, session_id, input_tokens, output_tokens,
    total_tokens, input_cost, output_cost, total_cost) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""
TAG_SQL = "INSERT INTO trace_tags (key, value, request_id) VALUES (?,?,?)"
METADATA_SQL = "INSERT INTO trace_request_metadata (key, value, request_id) VALUES (?,?,?)"
SPAN_SQL = """INSERT INTO spans (trace_id, experiment_id, span_id, parent_span_id, name, type, status,
    start_time_unix_nano, end_time_unix_nano, content, input_cost, output_cost, total_cost, model_name)
    VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""


def write(database: sqlite3.Connection, traces: Iterator[tuple[str, str, list[Span]]], experiment: int) -> list[str]:
    ids = []
    for number, (trace_id, name, spans) in enumerate(traces):
        session = f"chat-{number // 5}" if number % 2 else None
        database.execute(TRACE_SQL, trace_row(trace_id, name, spans, experiment, session))
        database.executemany(TAG_SQL, tag_rows(trace_id, experiment, number))
        database.executemany(METADATA_SQL, metadata_rows(trace_id, spans, number))
        database.executemany(SPAN_SQL, [span.row(trace_id, experiment) for span in spans])
        ids.append(trace_id)
    return ids


def make_schema(path: Path) -> tuple[int, int]:
    """Lets MLflow make an empty store with two experiments; gives their ids."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(f"sqlite:///{path}", "mlflow-artifacts:/")
    ids = int(store.create_experiment("bench")), int(store.create_experiment("big"))
    store.engine.dispose()
    return ids


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--traces", type=int, default=20_000)
    parser.add_argument("--spans", type=int, default=20_000, help="spans of the big trace")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    path = options.dir.resolve() / "mlflow.db"
    options.dir.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bench, big = make_schema(path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous = OFF")
        small = (small_trace(options.seed, number, 12) for number in range(options.traces))
        small_ids = write(database, small, bench)
        big_ids = write(database, iter([big_trace(options.seed, options.spans, 71)]), big)
    print(json.dumps({"database": str(path), "bench": {"experiment_id": str(bench), "traces": len(small_ids),
                                                       "first": small_ids[0], "last": small_ids[-1]},
                      "big": {"experiment_id": str(big), "trace_id": big_ids[0], "spans": options.spans}}))


if __name__ == "__main__":
    main()
