"""Makes an experiment of the same name in two workspaces, and one in the default workspace.

The last line on standard output is a JSON object from case to trace id.
"""

from __future__ import annotations

import argparse
import json

import mlflow


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    options = parser.parse_args()
    mlflow.set_tracking_uri(options.tracking_uri)
    cases = {}
    for workspace, experiment, traces in [("default", "plain", 1), ("team-a", "chatbot", 3), ("team-b", "chatbot", 2)]:
        if workspace != "default":
            mlflow.create_workspace(workspace)
        mlflow.set_workspace(workspace)
        mlflow.set_experiment(experiment)
        for number in range(traces):
            name = f"{workspace}-{number}"
            with mlflow.start_span(name) as span:
                span.set_inputs({"question": name})
                cases[name] = span.trace_id
        mlflow.flush_trace_async_logging()
    print(json.dumps(cases))


main()
