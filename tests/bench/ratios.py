"""Measures mlt beside curl, jq and MLflow's own command line, and prints ratios.

Builds mlt in release mode, makes a store of 20,000 traces and one trace of
20,000 spans (once, under target/bench), serves it with a real MLflow and runs
every command several times, alternating. Only ratios of one run mean anything;
they are printed as a Markdown table with the limit that each has to keep. Ends
with exit code 1 when one does not. Needs curl, jq and the environment that the
tests make (`cargo test` once).
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


def peak(command: list[str], env: dict) -> int:
    """The peak resident bytes of a command."""
    return int(subprocess.run([sys.executable, "-c", PEAK, *command], env=env, check=True, capture_output=True).stdout)


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


def store() -> dict:
    ids = BENCH / "ids.json"
    if not ids.exists():
        BENCH.mkdir(parents=True, exist_ok=True)
        maker = [PYTHON, ROOT / "tests/bench/make_store.py", "--dir", BENCH / "store"]
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


def main():
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    ids = store()
    with server(Path(ids["database"])) as uri:
        rows = measure(uri, ids)
    print("| what | mlt | beside | ratio | limit |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print(row.line())
    sys.exit(0 if all(row.kept() for row in rows) else 1)


if __name__ == "__main__":
    main()
