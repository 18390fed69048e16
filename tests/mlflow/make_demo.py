"""Makes the traces of the built-in demo: real ones, from a real MLflow server on a temporary store.

Writes every trace as one line of compact JSON, newest first, in the shape of `mlflow traces get`, and the
list of experiments. What would tell about the machine (paths, users, ports) is replaced by neutral words.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
STORE = HERE.parents[1] / "src" / "store"
EXPERIMENTS = ("shop-assistant", "nightly-evals")
LIMIT = 290_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def mlflow_server(folder: str):
    """A running server with its store in the folder; gives its address."""
    address = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
               "--artifacts-destination", f"{folder}/artifacts", "--host", "127.0.0.1",
               "--port", address.rsplit(":", 1)[1], "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with open(f"{folder}/server.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        wait_until_healthy(address, process, f"{folder}/server.log")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def wait_until_healthy(address: str, process: subprocess.Popen, log: str):
    for _ in range(240):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address + "/health", timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit("the MLflow server did not start:\n" + Path(log).read_text()[-2000:])


def get(address: str, path: str, **query: str):
    with urllib.request.urlopen(f"{address}{path}?{urllib.parse.urlencode(query)}") as answer:
        return json.load(answer)


def post(address: str, path: str, body: dict):
    request = urllib.request.Request(address + path, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def experiments(address: str) -> list[dict]:
    found = [get(address, "/api/2.0/mlflow/experiments/get-by-name", experiment_name=name)["experiment"]
             for name in EXPERIMENTS]
    return sorted(({"experiment_id": each["experiment_id"], "name": each["name"]} for each in found),
                  key=lambda each: int(each["experiment_id"]))


def trace_ids(address: str, experiment_ids: list[str]) -> list[str]:
    locations = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": each}} for each in experiment_ids]
    body = {"locations": locations, "max_results": 500}
    return [trace["trace_id"] for trace in post(address, "/api/3.0/mlflow/traces/search", body)["traces"]]


def export(address: str, trace_id: str) -> dict:
    info = get(address, f"/api/3.0/mlflow/traces/{trace_id}")["trace"]["trace_info"]
    spans = get(address, "/ajax-api/2.0/mlflow/get-trace-artifact", request_id=trace_id)["spans"]
    return {"info": info, "data": {"spans": spans}}


def scrubs(folder: str) -> list[tuple[re.Pattern, str]]:
    """Patterns of machine specifics and their replacements, longest paths first."""
    paths = {
        sysconfig.get_path("purelib"): "/app/lib",
        sysconfig.get_path("platlib"): "/app/lib",
        sysconfig.get_path("stdlib"): "/usr/lib/python3.11",
        sys.prefix: "/app",
        str(HERE): "/app",
        str(HERE.parents[1]): "/app",
        str(Path.home()): "/home/shop",
        folder: "/tmp/shop",
    }
    found = [(re.compile(re.escape(path)), paths[path]) for path in sorted(paths, key=len, reverse=True)]
    found.append((re.compile(r"(127\.0\.0\.1|localhost):\d+"), "shop.example"))
    # Not inside a longer word: ids are base64 and may hold any short name.
    found.append((re.compile(rf"(?<![\w+/=-]){re.escape(socket.gethostname())}(?![\w+/=-])"), "shop-1"))
    return found


def scrub(value, patterns: list[tuple[re.Pattern, str]]):
    if isinstance(value, str):
        for pattern, replacement in patterns:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, list):
        return [scrub(each, patterns) for each in value]
    if isinstance(value, dict):
        return {key: scrub(each, patterns) for key, each in value.items()}
    return value


def neutral(trace: dict, patterns: list[tuple[re.Pattern, str]]) -> dict:
    trace = scrub(trace, patterns)
    replacements = {"mlflow.user": "shop", "mlflow.source.name": "shop_assistant.py",
                    "mlflow.source.git.commit": "", "mlflow.source.git.branch": "main",
                    "mlflow.source.git.repoURL": ""}
    metadata = trace["info"].get("trace_metadata", {})
    metadata.update({key: value for key, value in replacements.items() if key in metadata})
    return trace


def lines(traces: list[dict]) -> bytes:
    return b"".join(json.dumps(trace, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for trace in traces)


def check(data: bytes, limit: int):
    """Refuses to write anything that tells about this machine, or too much."""
    text = data.decode()
    for word in (str(HERE.parents[1]), str(Path.home()) + "/", "/root/", "127.0.0.1", "localhost"):
        if word in text:
            sys.exit(f"{word!r} is still in the traces: …{text[max(0, text.index(word) - 80):][:200]}…")
    if len(data) > limit:
        sys.exit(f"the traces take {len(data)} bytes, more than {limit}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=STORE, help="folder of demo.jsonl and demo-experiments.json")
    parser.add_argument("--limit", type=int, default=LIMIT, help="bytes that demo.jsonl may have")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlt-demo-") as folder, mlflow_server(folder) as address:
        # Without column marks the stack traces are a third shorter.
        subprocess.run([sys.executable, "-X", "no_debug_ranges", str(HERE / "make_traces.py"),
                        "--tracking-uri", address, "--experiment", EXPERIMENTS[0],
                        "--evaluations", EXPERIMENTS[1]], check=True)
        listed = experiments(address)
        ids = trace_ids(address, [each["experiment_id"] for each in listed])
        patterns = scrubs(folder)
        traces = [neutral(export(address, trace_id), patterns) for trace_id in ids]
    data = lines(traces)
    check(data, options.limit)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "demo.jsonl").write_bytes(data)
    (options.out / "demo-experiments.json").write_text(json.dumps(listed, indent=2) + "\n")
    print(f"{len(traces)} traces, {len(data)} bytes")


if __name__ == "__main__":
    main()
