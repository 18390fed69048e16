"""Makes many small traces on a running MLflow server, quickly, for tests of paging and filters.

The traces have no spans: only their heads are sent, through the REST API. They are spread over thirty
days, and everything but the experiment's id and the end of the thirty days depends on the seed alone.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from urllib.parse import urlsplit

NAMES = ["support-agent", "rag-answer", "checkout", "summarise-ticket", "order-helper", "translate", "nightly-batch"]
STATES = ["OK"] * 16 + ["ERROR"] * 3 + ["IN_PROGRESS"]
USERS = ["ann", "bea", "carl", "dora", "emil", "zoë", "李雷"]
MONTH_MS = 30 * 24 * 3600 * 1000


class Api:
    """A keep-alive connection to the server."""

    def __init__(self, uri: str):
        parts = urlsplit(uri)
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = connect(parts.hostname, parts.port)
        self.prefix = parts.path.rstrip("/")

    def post(self, path: str, body: dict) -> dict:
        self.connection.request("POST", self.prefix + path, json.dumps(body), {"content-type": "application/json"})
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: HTTP {answer.status}: {data[:300]!r}")
        return json.loads(data)


def experiment_id(api: Api, name: str) -> str:
    body = {"filter": f"name = '{name}'", "max_results": 1}
    found = api.post("/api/2.0/mlflow/experiments/search", body).get("experiments")
    if found:
        return found[0]["experiment_id"]
    return api.post("/api/2.0/mlflow/experiments/create", {"name": name})["experiment_id"]


def stamp(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def trace_info(seed: int, number: int, end_ms: int, experiment: str) -> dict:
    chance = random.Random(f"{seed}/{number}")
    name, state = chance.choice(NAMES), chance.choice(STATES)
    info = {
        "trace_id": f"tr-{chance.getrandbits(128):032x}",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
        "request_time": stamp(end_ms - chance.randrange(MONTH_MS)),
        "state": state,
        "request_preview": f"question {number}",
        "trace_metadata": metadata(chance),
        "tags": {"mlflow.traceName": name, "env": chance.choice(["prod", "prod", "staging"]),
                 "team": chance.choice(["search", "support", "checkout"]), "number": str(number)},
    }
    if state != "IN_PROGRESS":
        info["execution_duration"] = f"{min(60_000, int(chance.lognormvariate(6.2, 1.3))) / 1000:.3f}s"
        info["response_preview"] = "failed" if state == "ERROR" else f"answer {number}"
    if number % 5 == 0:
        info["client_request_id"] = f"req-{number}"
    return info


def metadata(chance: random.Random) -> dict:
    found = {"mlflow.trace.user": chance.choice(USERS)}
    if chance.random() < 0.4:
        found["mlflow.trace.session"] = f"chat-{chance.randrange(40)}"
    if chance.random() < 0.8:
        prompt, answer = chance.randrange(20, 4000), chance.randrange(5, 800)
        found["mlflow.trace.tokenUsage"] = json.dumps(
            {"input_tokens": prompt, "output_tokens": answer, "total_tokens": prompt + answer})
    return found


def send(uri: str, infos: list[dict]) -> int:
    api = Api(uri)
    for info in infos:
        api.post("/api/3.0/mlflow/traces", {"trace": {"trace_info": info}})
    return len(infos)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    parser.add_argument("--traces", type=int, default=1000)
    parser.add_argument("--experiment", default="many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--end-ms", type=int, default=int(time.time() * 1000), help="end of the thirty days, Unix ms")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    experiment = experiment_id(Api(options.tracking_uri), options.experiment)
    infos = [trace_info(options.seed, number, options.end_ms, experiment) for number in range(options.traces)]
    shares = [infos[start::options.workers] for start in range(options.workers)]
    with ThreadPoolExecutor(options.workers) as pool:
        print(sum(pool.map(lambda share: send(options.tracking_uri, share), shares)))


if __name__ == "__main__":
    main()
