//! Examples of every command, with which its help begins. A test runs each of
//! them on the demo store.

/// Those of a command, a line each.
#[allow(clippy::too_many_lines, reason = "a list")]
pub fn of(command: &str) -> Option<&'static str> {
    Some(match command {
        "search" => {
            "\
  mlt search --status ERROR --since 7d
  mlt search -f \"tags.env = 'prod' AND duration > 2s\" --order-by -duration
  mlt search refund -n 5                        # with this text in a span
  mlt search --name checkout --all -o ids | mlt get -"
        }
        "get" => {
            "\
  mlt get latest
  mlt get latest --chat                         # what was said
  mlt get latest -o brief --budget 1000         # for coding agents
  mlt get --status ERROR -n 3                   # the newest that match
  mlt get latest --io --max-chars 500           # with inputs and outputs
  mlt get latest --span agent                   # one span in full
  mlt get latest --columns name,duration,tokens # a table of its spans
  mlt get latest --link                         # the address of its page
  mlt search --status ERROR -o ids | mlt get - -o jsonl"
        }
        "session" => {
            "\
  mlt session chat-5f21                         # turn by turn
  mlt session chat-5f21 --last 2
  mlt session --latest -o markdown
  mlt session chat-5f21 -o json"
        }
        "tag" => {
            "\
  mlt tag latest reviewed=yes --dry-run
  mlt tag latest --delete reviewed --dry-run
  mlt tag --status ERROR triage=todo --dry-run"
        }
        "assess" => {
            "\
  mlt assess latest helpful=true --rationale 'it answers' --dry-run
  mlt assess latest answer='30 days' --expectation --dry-run
  mlt assess --status ERROR score=0.2 --source code:score.sh --replace --dry-run
  mlt assess latest --delete tone --dry-run"
        }
        "close" => {
            "\
  mlt close latest --dry-run
  mlt close --older-than 1d --dry-run           # all that are stuck
  mlt close --name checkout --state OK --dry-run"
        }
        "delete" => {
            "\
  mlt delete latest --dry-run
  mlt delete --name checkout --until 2026-11-23 --max 100 --dry-run
  mlt search --status ERROR -o ids | mlt delete - --dry-run"
        }
        "prune" => {
            "\
  mlt prune --older-than 30d --keep errors --keep slowest:1% --keep 5/name --dry-run
  mlt prune --older-than 2026-11-23 --keep 'feedback.helpful = false' --max 1000 --dry-run"
        }
        "run" => {
            "\
  MLFLOW_TRACKING_URI=sqlite:///mlflow.db mlt run -- make test
  mlt run --name nightly --tag env=ci --spool /var/spool/mlt -- ./nightly.sh
  mlt run --sample 10% -- curl -sf https://example.com/health"
        }
        "event" => {
            "\
  mlt run -- sh -c 'mlt event fetched rows=12 cached=true'"
        }
        "instrument" => {
            "\
  mlt instrument                                # what there are lines for
  mlt instrument openai
  mlt instrument otel-env --sample 10%"
        }
        "latency" => {
            "\
  mlt latency latest
  mlt latency latest --critical-path
  mlt latency --all --by trace                  # by the name of the trace
  mlt latency --name checkout --slowest 3
  mlt latency --all --columns name,p95,critical_ratio -o csv
  mlt latency --name checkout --what-if payment=50%"
        }
        "diff" => {
            "\
  mlt diff tr-5bf tr-b5c7
  mlt diff --base-filter \"tags.release = '2026.11.2'\" -f \"tags.release = '2026.12.0-rc1'\""
        }
        "check" => {
            "\
  mlt check --all --require 'p95(duration) <= 10s' 'error_rate() <= 30%'
  mlt check --name checkout --require 'max(self where span.name = '\\''payment'\\'') <= 5s'
  mlt check --all --require 'count() >= 1' -o report.xml"
        }
        "report" => {
            "\
  mlt report latest -o report.html
  mlt report --status ERROR -o failed.html
  mlt report tr-3934 > report.html"
        }
        "export" => {
            "\
  mlt export --all --to traces.jsonl            # the format by the file's ending
  mlt export --all -o json --to traces/         # a file for each trace
  mlt export latest -o speedscope --to latest.speedscope.json
  mlt export --all --what traces -o csv"
        }
        "import" => {
            "\
  mlt export --all -o jsonl | mlt import - --dry-run
  mlt export latest -o otlp | mlt import - --dry-run -o json"
        }
        "stats" => {
            "\
  mlt stats
  mlt stats --by trace
  mlt stats 'p95(duration), sum(tokens)' --by tags.env
  mlt stats 'count(span), p95(span.duration)' --by name --top 5"
        }
        "sessions" => {
            "\
  mlt sessions
  mlt sessions --since 7d --sort cost -n 10
  mlt sessions --status ERROR -o ids"
        }
        "errors" => {
            "\
  mlt errors
  mlt errors --since 7d --per trace
  mlt errors --name checkout --kinds all --columns kind,count,type,message
  mlt errors --top 5 -o json"
        }
        "keys" => {
            "\
  mlt keys
  mlt keys tags --all
  mlt keys span.attributes.gen_ai --values 20"
        }
        "experiments" => {
            "\
  mlt experiments
  mlt experiments --sort traces -o csv"
        }
        "completions" => "  mlt completions bash > mlt.bash",
        "man" => {
            "\
  mlt man | head -20
  mlt man --dir man1"
        }
        "skill" => "  mlt skill > SKILL.md",
        "help" => {
            "\
  mlt help search
  mlt help filter"
        }
        _ => return None,
    })
}
