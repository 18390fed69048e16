"""Counts the steps and bytes from a symptom to the evidence of a fault, by mlt and by MLflow's own command line.

Twenty faults are in a store of a travel desk's traces (make_faults.py). For each, what somebody noticed is known and
nothing else; then come the commands that end with one whose output holds the evidence. All of them are run, and the
evidence is looked for. In MLflow's outputs marked by a dagger the figures are there, but what they tell still has
to be worked out by hand. `--list` prints the faults with mlt's commands as JSON, for the tests to run.

Needs a build of mlt (`cargo build`) and the environment that the tests make (`cargo test` once).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PYTHON = TARGET / "mlflow/venv-3.17.2/bin/python"
MAKER = ROOT / "tests/bench/make_faults.py"


@dataclass(frozen=True)
class Fault:
    """One fault. `{trace}` in a command is the first trace id of the output before it, `{trace:WORD}` the one that
    stands in a line with the word; evidence is a pattern, or one and how often it has to be there."""

    name: str
    symptom: str
    mlt: list[str]
    evidence: list
    mlflow: list[str]
    mlflow_evidence: list | None = None
    by_hand: bool = False

    def wanted(self, side: str) -> list[tuple[str, int]]:
        patterns = self.mlflow_evidence if side == "mlflow" and self.mlflow_evidence else self.evidence
        return [pattern if isinstance(pattern, tuple) else (pattern, 1) for pattern in patterns]


def fields(names: str, condition: str) -> str:
    """MLflow's search for some fields of what matches."""
    return f"search --output json --filter-string {shlex.quote(condition)} --extract-fields {shlex.quote(names)}"


def spans(condition: str) -> str:
    """MLflow's search for what spans say, where it is not known which of them matters. It takes no attribute alone
    out of those with a dot in their names, which all of its own have."""
    return fields("info.trace_id,info.state,info.tags,data.spans.*.name,data.spans.*.attributes,data.spans.*.events", condition)


def column(name: str) -> str:
    """MLflow's table of one thing that is known of every trace, which it cannot sort by."""
    names = f"info.trace_id,info.trace_metadata.`mlflow.trace.{name}`"
    return f"search --no-include-spans --max-results 500 --extract-fields {shlex.quote(names)}"


def by_user(user: str) -> str:
    return f"metadata.`mlflow.trace.user` = '{user}'"


TIMES = "data.spans.*.name,data.spans.*.start_time_unix_nano,data.spans.*.end_time_unix_nano"

FAULTS = [
    Fault("wrong-tool", "mara.lind wanted to cancel a booking and was told of flights",
          ["get --user mara.lind --chat"],
          ["Please cancel my booking BK-5512", r"search_flights", r"destination\W+BK-5512"],
          [spans(by_user("mara.lind"))]),
    Fault("empty-retrieval", "somebody was told that there is no rule on visas",
          ["get --text 'no rule on visas' --chat"],
          [r"RETRIEVED  no documents  vector-search"],
          [spans("trace.text ILIKE '%no rule on visas%'")],
          [r'"name": "vector-search"', r'spanOutputs": "\[\]"']),
    Fault("retry-storm", "the airline complains of bursts of requests to hold a seat",
          ["errors -o brief"],
          [r"17× SeatMapBusy: seat map is locked.* in hold_seat, 1 trace"],
          [fields("info.trace_id,data.spans.*.name,data.spans.*.events", "span.status = 'ERROR'")],
          [(r'"exception.type": "SeatMapBusy"', 17), r'"name": "hold_seat"']),
    Fault("slow-child", "some questions on policies take ten seconds",
          ["latency --name policy-answer --slowest 1 -o brief"],
          [r"slow tr-\S+ 1\d\.\d s, .*waited for vector-search 1\d\.\d s"],
          [fields(f"info.trace_id,{TIMES}", "name = 'policy-answer' AND execution_time_ms > 5000")],
          ["vector-search", "end_time_unix_nano"], by_hand=True),
    Fault("lost-error", "otto.brandt was told that he has a ticket, and has none",
          ["get --user otto.brandt --chat"],
          ["fare TD733-Y is no longer on sale", "Your flight TD733 is booked"],
          [spans(by_user("otto.brandt"))]),
    Fault("stale-prompt", "an answer says 20 kg where the rule says 23 kg",
          ["get --text '20 kg' -o brief"],
          [r"prompts? policy-system/1\b", "One bag of 20 kg is included"],
          [spans("trace.text ILIKE '%20 kg%'")],
          [r'"name": "policy-system", "version": "1"', "One bag of 20 kg is included"]),
    Fault("fallback-model", "an answer to a question on Reykjavik is nonsense",
          ["get --text Reykjavik --chat"],
          [r"gpt-3\.5-turbo", r"gpt-4\.1 has no capacity"],
          [spans("trace.text ILIKE '%Reykjavik%'")]),
    Fault("rate-limit", "some requests fail at once",
          ["search --status ERROR"],
          [r"RateLimitError", "429", "limit 60, used 60"],
          [fields("info.trace_id,data.spans.*.name,data.spans.*.events", "status = 'ERROR'")]),
    Fault("cut-off-answer", "the trains for lea.conti end in the middle of a sentence",
          ["get --user lea.conti -o brief"],
          [r"09:33 and at", r"\blength\b"],
          [spans(by_user("lea.conti"))], [r"09:33 and at", r'"finish_reason": "length"']),
    Fault("refusal", "harmless questions are declined",
          ["errors --kinds refusal -o brief"],
          [r"refusal: I can't help with medical matters"],
          [fields("info.trace_id,data.spans.*.attributes", "span.content ILIKE '%refusal%I can%'")],
          [r'"refusal": "I can\'t help with medical matters']),
    Fault("wrong-tenant", "the tenant stark saw somebody else's trip to Gotham",
          ["get --text Gotham -o brief"],
          [r"list_trips", r"tenant\W+wayne"],
          [spans("trace.text ILIKE '%Gotham%' AND tags.tenant = 'stark'")]),
    Fault("token-explosion", "the day's tokens have doubled",
          ["search --order-by -tokens -n 3 -o brief", "get {trace} --chat"],
          [r"gpt-4o-mini.* 183,420 in"],
          [column("tokenUsage"), 'get --trace-id {trace:"total_tokens": 183}'],
          [r'"input_tokens": 183420', "gpt-4o-mini"]),
    Fault("cost-outlier", "the day's cost is ten times that of yesterday",
          ["search --order-by -cost -n 3 --columns trace_id,cost,model"],
          [r"\$3\.66  o1-pro"],
          [column("cost"), 'get --trace-id {trace:"total_cost": 3.}'],
          [r'"mlflow.llm.model": ""?o1-pro', r'"total_cost": 3\.66']),
    Fault("timeout", "a trip to Tbilisi could not be planned",
          ["get --text Tbilisi -o brief"],
          [r"failed: fare-request \w+: ReadTimeout: fares.example did not answer within 20 s"],
          [spans("trace.text ILIKE '%Tbilisi%'")],
          [r'"name": "fare-request"', r"ReadTimeout: fares.example did not answer within 20 s"]),
    Fault("unfinished", "a booking for two never got an answer",
          ["get --status IN_PROGRESS -o brief"],
          [r"IN_PROGRESS", r"reserve-seats"],
          [spans("status = 'IN_PROGRESS'")]),
    Fault("swallowed-failure", "fares of rebookings are missing in the ledger, though nothing failed",
          ["errors --status OK -o brief"],
          [r"LedgerRejected: account .* is closed.* in post-to-ledger"],
          [fields("info.trace_id,data.spans.*.name,data.spans.*.events", "status = 'OK' AND span.status = 'ERROR'")],
          [r"LedgerRejected: account 4410 is closed", r'"name": "post-to-ledger"']),
    Fault("wrong-argument", "sam.okoye has one seat instead of two",
          ["get --user sam.okoye --tools"],
          [r"book_flight.*two", r"`passengers` is a string, expected integer"],
          [spans(by_user("sam.okoye"))],
          [r'"passengers": "two"', r'"passengers": \{"type": "integer"\}'], by_hand=True),
    Fault("tool-ignored", "yuki.mori was told of a visa by guess",
          ["get --user yuki.mori --tools"],
          [r"check_visa .* never called"],
          [spans(by_user("yuki.mori"))], [r'"name": "check_visa"', r'"name": "search_flights", "arguments"'],
          by_hand=True),
    Fault("tool-loop", "the agent gives up on Atlantis",
          ["get --text Atlantis -o brief"],
          [r"search_flights TOOL ×9", r'search_flights\(origin="ZRH", destination="Atlantis"\)'],
          [spans("trace.text ILIKE '%Atlantis%'")],
          [(r'spanInputs": "\{"origin": "ZRH", "destination": "Atlantis"', 9)],
          by_hand=True),
    Fault("slow-release", "questions on policies take longer since release r42",
          ["diff --name policy-answer --base-filter \"tags.release = 'r41'\" -f \"tags.release = 'r42'\""],
          [r"policy-answer > rerank .*slower"],
          [fields(TIMES, f"name = 'policy-answer' AND tags.release = '{release}'") for release in ("r41", "r42")],
          [(r'"name": "rerank"', 20), ("end_time_unix_nano", 100)], by_hand=True),
]


def filled(command: str, before: str) -> list[str]:
    """The words of a command, with the trace that the output before it names."""

    def trace(match: re.Match) -> str:
        lines = (line for line in before.splitlines() if (match[1] or "") in line)
        found = next(filter(None, (re.search(r"tr-[0-9a-f]+", line) for line in lines)), None)
        return found[0] if found else sys.exit(f"no trace for {command!r} in:\n{before}")

    return shlex.split(re.sub(r"\{trace(?::([^}]*))?\}", trace, command))


def missing(output: str, wanted: list[tuple[str, int]]) -> list[str]:
    """The evidence that is not there; JSON within JSON counts like JSON."""
    plain = output.replace("\\", "")
    return [pattern for pattern, count in wanted if len(re.findall(pattern, plain)) < count]


def follow(program: list[str], commands: list[str], env: dict) -> tuple[str, int]:
    """Runs the commands one after the other; gives the last output and the bytes of all."""
    output, size = "", 0
    for command in commands:
        done = subprocess.run([*program, *filled(command, output)], env=env, capture_output=True)
        if done.returncode:
            sys.exit(f"{command} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
        output, size = done.stdout.decode(), size + len(done.stdout)
    return output, size


def measure(fault: Fault, programs: dict[str, list[str]], env: dict) -> dict:
    row = {"fault": fault.name, "symptom": fault.symptom, "by_hand": fault.by_hand}
    for side, program in programs.items():
        commands = getattr(fault, side)
        output, size = follow(program, commands, env)
        if absent := missing(output, fault.wanted(side)):
            sys.exit(f"{fault.name}: {side} {commands} does not show {absent}:\n{output}")
        row[side] = {"commands": commands, "steps": len(commands), "bytes": size}
    return row


def total(rows: list[dict], side: str) -> dict:
    return {key: sum(row[side][key] for row in rows) for key in ("steps", "bytes")}


def table(rows: list[dict]) -> str:
    lines = ["| fault | mlt: steps | bytes | mlflow traces: steps | bytes | times as many bytes |",
             "| --- | --- | --- | --- | --- | --- |"]
    for row in [*rows, {"fault": "all", "by_hand": False, **{side: total(rows, side) for side in ("mlt", "mlflow")}}]:
        ours, theirs = row["mlt"], row["mlflow"]
        lines.append(f"| {row['fault']} | {ours['steps']} | {ours['bytes']:,} | {theirs['steps']}{' †' * row['by_hand']} "
                     f"| {theirs['bytes']:,} | {theirs['bytes'] / ours['bytes']:.1f} × |")
    return "\n".join([*lines, "", "†: the output has the figures; what they tell is still to be worked out."])


def listed() -> list[dict]:
    """What the tests need: mlt's commands in words, and the evidence that ends them."""
    return [{"name": fault.name, "symptom": fault.symptom, "commands": [shlex.split(command) for command in fault.mlt],
             "evidence": [{"pattern": pattern, "count": count} for pattern, count in fault.wanted("mlt")]}
            for fault in FAULTS]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mlt", type=Path, default=TARGET / "debug/mlt", help="the program to run")
    parser.add_argument("--only", help="the fault of this name alone")
    parser.add_argument("--store", type=Path, help="keep the store in this file, and use it again")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--list", action="store_true", help="print faults and commands as JSON, and run nothing")
    options = parser.parse_args()
    if options.list:
        print(json.dumps(listed()))
        return
    with tempfile.TemporaryDirectory(prefix="mlt-faults-") as folder:
        database = (options.store or Path(folder) / "mlflow.db").resolve()
        uri = f"sqlite:///{database}"
        if not database.exists():
            subprocess.run([PYTHON, MAKER, "--tracking-uri", uri], cwd=folder, check=True, capture_output=True)
        env = {**os.environ, "MLFLOW_TRACKING_URI": uri, "MLFLOW_EXPERIMENT_NAME": "", "MLFLOW_EXPERIMENT_ID": "1"}
        programs = {"mlt": [str(options.mlt)], "mlflow": [str(PYTHON), "-m", "mlflow", "traces"]}
        chosen = [fault for fault in FAULTS if options.only in (None, fault.name)]
        rows = [measure(fault, programs, env) for fault in chosen]
    totals = {side: total(rows, side) for side in programs}
    print(json.dumps({"faults": rows, "total": totals}, indent=2) if options.json else table(rows))


if __name__ == "__main__":
    main()
