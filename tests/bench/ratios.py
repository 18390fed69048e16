"""Measures mlt beside curl, jq, the sqlite3 shell and MLflow's own command line, and prints ratios.

Builds mlt in release mode, makes a store of 20,000 traces and one trace of
20,000 spans (once, under target/bench), serves it with a real MLflow and runs
every command several times, alternating; then reads its database directly, one
of a million spans (2 GB, made once as well), and two gigabytes of JSON lines from
a pipe. Only ratios of one run mean anything;
they are printed as a Markdown table with the limit that each has to keep. Ends
with exit code 1 when one does not. Needs curl, jq, sqlite3 and the environment
that the tests make (`cargo test` once).
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PYTHON = TARGET / "mlflow/venv-3.17.2/bin/python"
MLT = TARGET / "release/mlt"
BENCH = TARGET / "bench"


@dataclass
class Row:
    what: str
    ours: str
    theirs: str
    ratio: float
    limit: float
    at_least: bool = False

    def kept(self) -> bool:
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit

    def line(self) -> str:
        sign = "≥" if self.at_least else "≤"
        verdict = "" if self.kept() else " **missed**"
        return f"| {self.what} | {self.ours} | {self.theirs} | {self.ratio:.2f} × | {sign} {self.limit:g} ×{verdict} |"


# A process begins with the peak of the one that started it, so a small one goes between.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def run(command: list[str], env: dict | None = None) -> float:
    """The seconds that a command takes."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return seconds


def peak(command: list[str], env: dict, stdin=None) -> int:
    """The peak resident bytes of a command."""
    measured = [sys.executable, "-c", PEAK, *command]
    return int(subprocess.run(measured, env=env, check=True, stdin=stdin, stdout=subprocess.PIPE).stdout)


def alternate(one: list[str], other: list[str], times: int, env: dict | None = None) -> tuple[float, float]:
    """The median seconds of two commands that take turns, after one turn that does not count."""
    runs: tuple[list[float], list[float]] = ([], [])
    for turn in range(times + 1):
        for side, command in zip(runs, (one, other)):
            side.append(run(command, env))
        if turn == 0:
            runs = ([], [])
    return statistics.median(runs[0]), statistics.median(runs[1])


def show(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def compare(what: str, ours: list[str], theirs: list[str], times: int, limit: float, name: str, env=None) -> Row:
    mine, other = alternate(ours, theirs, times, env)
    return Row(what, show(mine), f"{name} {show(other)}", mine / other, limit)


def faster(what: str, ours: list[str], theirs: list[str], limit: float, name: str, env: dict) -> Row:
    mine = statistics.median(run(ours, env) for _ in range(5))
    other = run(theirs, env)
    return Row(what, show(mine), f"{name} {show(other)}", other / mine, limit, at_least=True)


@contextmanager
def server(database: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [PYTHON, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
               "--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(BENCH / "artifacts")]
    with open(BENCH / "server.log", "w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        uri = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(uri + "/health", timeout=5).read()
                break
            except OSError:
                time.sleep(0.1)
        yield uri
    finally:
        os.killpg(child.pid, 15)
        child.wait()


def store(name: str = "store", *options: str) -> dict:
    """A store under target/bench, made once."""
    ids = BENCH / f"{name}.json"
    if not ids.exists():
        BENCH.mkdir(parents=True, exist_ok=True)
        maker = [PYTHON, ROOT / "tests/bench/make_store.py", "--dir", BENCH / name, *options]
        made = subprocess.run(maker, check=True, capture_output=True, text=True).stdout
        ids.write_text(made.splitlines()[-1])
    return json.loads(ids.read_text())


def measure(uri: str, ids: dict) -> list[Row]:
    env = {**os.environ, "MLFLOW_TRACKING_URI": uri}
    big = ids["big"]["trace_id"]
    body = json.dumps({"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {
        "experiment_id": ids["bench"]["experiment_id"]}}], "max_results": 101})
    curl_search = ["curl", "-sf", "-o", "/dev/null", "-H", "content-type: application/json", "-d", body,
                   f"{uri}/api/3.0/mlflow/traces/search"]
    search = [str(MLT), "search", "-x", ids["bench"]["experiment_id"], "-n", "100"]
    artifact = f"{uri}/ajax-api/2.0/mlflow/get-trace-artifact?request_id={big}"
    curl_get = ["curl", "-sf", "-o", "/dev/null", artifact]
    get = [str(MLT), "get", big]
    mlflow = [str(PYTHON), "-m", "mlflow", "traces"]
    file = BENCH / "big.json"
    file.write_bytes(subprocess.run([*get, "-o", "json"], env=env, check=True, capture_output=True).stdout)
    size = int(urllib.request.urlopen(artifact).headers["content-length"])

    rows = [
        compare("`mlt --version`", [str(MLT), "--version"], ["/bin/true"], 200, 3, "`/bin/true`"),
        compare("`mlt search -n 100`", search, curl_search, 40, 1.2, "curl, same request", env),
        compare("`mlt get`, 20,000 spans", get, curl_get, 7, 1.2, "curl, artifact endpoint", env),
        compare("`mlt get -o json` from a file", [str(MLT), "-u", str(file), "get", big, "-o", "json"],
                ["jq", ".", str(file)], 5, 1, "`jq .`"),
        faster("`mlt search -n 100`", search,
               [*mlflow, "search", "--experiment-id", ids["bench"]["experiment_id"], "--max-results", "100"],
               50, "`mlflow traces search`", env),
        faster("`mlt get`, 20,000 spans", get, [*mlflow, "get", "--trace-id", big], 20, "`mlflow traces get`", env),
    ]
    most = max(peak(get, env) for _ in range(3))
    rows.append(Row("`mlt get`, 20,000 spans: peak memory", f"{most / 1e6:.0f} MB", f"body {size / 1e6:.0f} MB",
                    most / size, 4))
    return rows


SAME_ROWS = """
SELECT json_object('trace_id', t.request_id, 'client_request_id', t.client_request_id, 'experiment_id', t.experiment_id,
  'timestamp_ms', t.timestamp_ms, 'execution_time_ms', t.execution_time_ms, 'status', t.status,
  'request_preview', t.request_preview, 'response_preview', t.response_preview, 'name', t.trace_name,
  'session', t.session_id, 'input_tokens', t.input_tokens, 'output_tokens', t.output_tokens,
  'total_tokens', t.total_tokens, 'input_cost', t.input_cost, 'output_cost', t.output_cost, 'total_cost', t.total_cost,
  'tags', (SELECT json_group_object(key, value) FROM trace_tags g WHERE g.request_id = t.request_id),
  'metadata', (SELECT json_group_object(key, value) FROM trace_request_metadata m WHERE m.request_id = t.request_id),
  'assessments', (SELECT json_group_array(json_object('name', a.name, 'value', a.value)) FROM assessments a
                  WHERE a.trace_id = t.request_id))
FROM trace_info t WHERE t.experiment_id = {experiment} ORDER BY t.timestamp_ms DESC, t.request_id LIMIT {limit}
"""


def measure_database(ids: dict) -> list[Row]:
    database, experiment, big = ids["database"], ids["bench"]["experiment_id"], ids["big"]["trace_id"]
    env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{database}"}

    def mlt(*words: str) -> list[str]:
        return [str(MLT), *words]

    def sql(query: str) -> list[str]:
        return ["sqlite3", "-readonly", database, query]

    def rows(limit: int) -> list[str]:
        return sql(SAME_ROWS.format(experiment=experiment, limit=limit))

    search = mlt("search", "-x", experiment, "-n", "100")
    everything = mlt("search", "-x", experiment, "--all", "-o", "jsonl")
    spans = sql(f"SELECT content FROM spans WHERE trace_id = '{big}' ORDER BY start_time_unix_nano")
    theirs = [str(PYTHON), "-m", "mlflow", "traces", "search", "--experiment-id", experiment, "--max-results", "100"]
    found = [
        compare("database: `mlt search -n 100`", search, rows(101), 40, 1.5, "`sqlite3`, same rows", env),
        faster("database: `mlt search -n 100`", search, theirs, 100, "`mlflow traces search`", env),
        compare("database: 20,000 traces as `-o jsonl`", everything, rows(20_000), 5, 2, "`sqlite3`, same rows", env),
        compare("database: `mlt get`, 20,000 spans", mlt("get", big), spans, 7, 1.5, "`sqlite3`, their JSON", env),
        compare("database: `mlt get -o json`, 20,000 spans", mlt("get", big, "-o", "json"), spans, 7, 1.5,
                "`sqlite3`, their JSON", env),
    ]
    for what, wanted, condition in [
        ("any(span.type = 'CHAT_MODEL' AND span.duration > 1s)", "by type and duration",
         "type = 'CHAT_MODEL' AND duration_ns > 1000000000"),
        ("span.content LIKE '%arrived broken%'", "by content", "instr(content, 'arrived broken') > 0"),
        ("span.content LIKE '%never said%'", "by content that none has", "instr(content, 'never said') > 0"),
    ]:
        ours = mlt("search", "-x", experiment, "--count", "-f", what)
        best = sql(f"SELECT count(DISTINCT trace_id) FROM spans WHERE experiment_id = {experiment} AND {condition}")
        counts = [subprocess.run(command, env=env, check=True, capture_output=True).stdout for command in (ours, best)]
        if counts[0] != counts[1]:
            sys.exit(f"{what}: mlt finds {counts[0]!r}, sqlite3 {counts[1]!r}")
        limit = 1.3 if "none" in wanted else 3
        found.append(compare(f"database: 20,000 traces {wanted} of spans", ours, best, 5, limit, "`sqlite3`, by hand", env))
    by_name = mlt("stats", "p95(span.duration)", "--by", "span.name", "-x", experiment)
    for ours, other in [
        (by_name, mlt("latency", "--all", "--by", "name", "-x", experiment)),
        (mlt("stats", "count()", "-x", experiment), mlt("search", "--count", "-x", experiment)),
    ]:
        what, name = (" ".join(words[1:4]).removesuffix(" -x") for words in (ours, other))
        found.append(compare(f"database: `mlt {what}`", ours, other, 9, 1.1, f"`mlt {name}`", env))
    return found


# What MLflow's own client takes for traces with their spans, once it is imported.
CLIENT = """
import sys, time
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
started = time.perf_counter()
traces = mlflow.search_traces(locations=[sys.argv[2]], max_results=200, include_spans=True, return_type="list")
print(time.perf_counter() - started)
assert len(traces) == 200 and all(trace.data.spans for trace in traces)
"""


def measure_many(uri: str, ids: dict) -> list[Row]:
    database, experiment = ids["database"], ids["bench"]["experiment_id"]
    local, remote = ({**os.environ, "MLFLOW_TRACKING_URI": place} for place in (f"sqlite:///{database}", uri))
    columns = ["sqlite3", "-readonly", database,
               "SELECT trace_id, span_id, parent_span_id, name, type, status, start_time_unix_nano, end_time_unix_nano "
               f"FROM spans WHERE experiment_id = {experiment}"]
    latency = [str(MLT), "latency", "-x", experiment]
    body = json.dumps({"experiment_ids": [experiment], "view_type": "SPANS", "metric_name": "latency",
                       "aggregations": [{"aggregation_type": "PERCENTILE", "percentile_value": 95}],
                       "dimensions": ["span_name"], "max_results": 1000})
    curl = ["curl", "-sf", "-o", "/dev/null", "-H", "content-type: application/json", "-d", body,
            f"{uri}/api/3.0/mlflow/traces/metrics"]
    stats = [str(MLT), "stats", "p95(span.duration)", "--by", "name", "-x", experiment, "--via", "server"]
    found = [
        compare("database: `mlt latency` over 20,000 traces, 80,000 spans", [*latency, "--all"], columns, 7, 2,
                "`sqlite3`, span columns", local),
        compare("`mlt stats` by span name through the metrics API", stats, curl, 7, 1.2, "curl, same request", remote),
    ]
    client = [str(PYTHON), "-c", CLIENT, uri, experiment]
    theirs = min(float(subprocess.run(client, check=True, capture_output=True, text=True).stdout) for _ in range(3))
    ours = statistics.median(run([*latency, "-n", "200"], remote) for _ in range(5))
    found.append(Row("spans of 200 traces over REST", show(ours), f"`mlflow.search_traces` {show(theirs)}", ours / theirs, 0.5))
    return found


def measure_growth() -> list[Row]:
    """What a span costs in a hundred times as many, and what a search of all traces takes of memory."""
    costs, peaks = [], []
    for name, traces in (("store-10k", 2_500), ("store-1m", 250_000)):
        ids = store(name, "--traces", str(traces), "--spans", "10")
        env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{ids['database']}"}
        command = [str(MLT), "latency", "-x", ids["bench"]["experiment_id"], "--all"]
        run(command, env)
        costs.append(statistics.median(run(command, env) for _ in range(5)) / (4 * traces))
    few, many = costs
    for ids in (store(), ids):
        env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{ids['database']}"}
        peaks.append(peak([str(MLT), "search", "-x", ids["bench"]["experiment_id"], "--all", "-o", "jsonl"], env))
    least, most = peaks
    return [Row("database: peak memory of `mlt search --all`, 250,000 traces beside 20,000", f"{most / 1e6:.0f} MB",
                f"{least / 1e6:.0f} MB", most / least, 1.5), Row("database: `mlt latency`, a span of 1,000,000 beside one of 10,000", f"{many * 1e6:.2f} µs",
                f"{few * 1e6:.2f} µs", many / few, 1.25)]


# The trace on standard input, again and again under new ids, until there are so many bytes.
REPEAT = """
import sys
head, rest = sys.stdin.buffer.readline().split(sys.argv[2].encode(), 1)
size, number, out = 0, 0, sys.stdout.buffer
while size < int(sys.argv[1]):
    number += 1
    lines = b"".join(head + b"tr-%032x" % (number * 100 + n) + rest for n in range(100))
    size += len(lines)
    out.write(lines)
"""


def measure_pipe(ids: dict) -> list[Row]:
    env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{ids['database']}"}
    trace = ids["bench"]["first"]
    line = subprocess.run([str(MLT), "get", trace, "-o", "jsonl"], env=env, check=True, capture_output=True).stdout
    peaks, seconds = [], 0.0
    for size in (200_000_000, 2_000_000_000):
        maker = subprocess.Popen([sys.executable, "-c", REPEAT, str(size), trace], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        maker.stdin.write(line)
        maker.stdin.close()
        started = time.perf_counter()
        peaks.append(peak([str(MLT), "-u", "-", "search", "-n", "100", "-o", "jsonl"], env, maker.stdout))
        seconds = time.perf_counter() - started
        maker.stdout.close()
        maker.wait()
    ours, theirs = (f"{most / 1e6:.0f} MB" for most in reversed(peaks))
    return [Row("pipe: peak memory of `mlt search -n 100`, 2 GB of JSON lines beside 200 MB",
                f"{ours}, {show(seconds)}", theirs, peaks[1] / peaks[0], 1.5)]


def main():
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    ids = store()
    with server(Path(ids["database"])) as uri:
        rows = measure(uri, ids) + measure_many(uri, ids)
    rows += measure_database(ids) + measure_growth() + measure_pipe(ids)
    print("| what | mlt | beside | ratio | limit |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print(row.line())
    sys.exit(0 if all(row.kept() for row in rows) else 1)


if __name__ == "__main__":
    main()
