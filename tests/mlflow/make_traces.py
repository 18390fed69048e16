"""Makes about forty real traces of a shop's assistant on a running MLflow 3.17.2 server.

Everything goes through MLflow's own instrumentation: autologging of OpenAI, Anthropic, LangChain and
LangGraph against a local model server, manual spans, and an OpenTelemetry client. Two experiments are
used, one for production traffic and one for evaluation jobs.
"""

from __future__ import annotations

import argparse
import contextvars
import logging
import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import mlflow
import model_server
import shop_assistant as shop
from mlflow.entities import AssessmentError, AssessmentSource
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

WORKERS = 6


@dataclass
class Call:
    """One traced call of the shop's program. `key` names its trace for the assessments."""

    function: Callable
    args: tuple
    kwargs: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    request: shop.Request = shop.Request()
    key: str = ""

    def run(self) -> tuple[str, object]:
        """Makes the trace; gives its id and the answer. An exception is the trace's to tell."""
        token = shop.REQUEST.set(self.request)
        answer = None
        try:
            with mlflow.tracing.context(tags=self.tags):
                answer = self.function(*self.args, **self.kwargs)
        except Exception as error:  # noqa: BLE001
            logging.debug("%s: %s", self.function, error)
        finally:
            shop.REQUEST.reset(token)
        return mlflow.get_last_active_trace_id(thread_local=True), answer


def prod(team: str, **more: str) -> dict:
    return {"env": "prod", "team": team, "release": "2026.11.2", **more}


def staging(team: str, **more: str) -> dict:
    return {"env": "staging", "team": team, "release": "2026.12.0-rc1", **more}


def conversation(function: Callable, session: str, user: str, tags: dict, questions: list[str]):
    """A job that asks the questions one after the other in one session, with the messages so far."""

    def job() -> dict[str, str]:
        history, traces = [], {}
        for turn, question in enumerate(questions, 1):
            request = shop.Request(f"web-{session}-{turn}", user, session)
            call = Call(function, (question, list(history)), tags=tags, request=request)
            traces[f"{session}/{turn}"], answer = call.run()
            history += [{"role": "user", "content": question}, {"role": "assistant", "content": answer or ""}]
            time.sleep(0.2)
        return traces

    return job


def single(*args, **kwargs) -> Callable[[], dict[str, str]]:
    """A job of one call."""
    call = Call(*args, **kwargs)
    return lambda: {call.key: call.run()[0]}


def order_calls() -> list[Callable]:
    ask = shop.order_helper
    return [
        conversation(ask, "chat-5f21", "ann.kessler", prod("support"), [
            "Where is my order A-1042?", "Can you change the address?", "Thanks, that helps"]),
        single(ask, ("Please cancel order B-2210", []), tags=prod("support"), key="cancel",
               request=shop.Request("web-7731", "c.okafor")),
        single(ask, ("What about order Z-9999?", []), tags=staging("support"), key="unknown-order"),
    ]


def langchain_calls() -> list[Callable]:
    """Calls that go through LangChain, whose own autologging already has the OpenAI calls."""
    agent = shop.support_agent
    return [
        single(shop.translate, ("Your parcel arrives tomorrow.", "German"), tags=prod("content"), key="de"),
        single(agent, ("Is the kettle K-12 in stock?", []), tags=prod("support"),
               key="kettle", request=shop.Request("web-7740", "d.lindqvist")),
        single(agent, ("What is the refund status R-404?", []), tags=prod("support"), key="refund-locked",
               request=shop.Request("web-7752", "e.rossi")),
        single(agent, ("I want to return the headphones", []), tags=prod("support", channel="app"), key="return",
               request=shop.Request("app-0417", "b.moreau")),
    ]


def rag_calls() -> list[Callable]:
    def answer(question: str, key: str, tags: dict, **kwargs):
        return single(shop.rag_answer, (question,), kwargs, tags=tags, key=key,
                      request=shop.Request(f"help-{key}"))

    return [
        conversation(lambda question, _: shop.rag_answer(question), "chat-81c4", "b.moreau",
                     prod("search", channel="app"), [
            "How long can I return an article?", "Is there a battery warranty?", "When does my gift card expire?"]),
        answer("Can I pay by invoice?", "rag-invoice-down", prod("search"), slow_index=True),
        answer("My espresso machine leaks, what can I do?", "rag-leak", prod("search"), slow_index=True),
        answer("Opening hours of the store in Graz?", "rag-graz", staging("search")),
    ]


def text_calls() -> list[Callable]:
    ticket, tags = shop.summarise_ticket, prod("back-office")
    mail = "From anna@example.com: "
    return [
        single(ticket, (5512, mail + "the bowl arrived cracked, I'd like a new one"), tags=tags, key="ticket-5512"),
        single(ticket, (5519, mail + "you charged me twice for D-4120!"), tags=tags, key="ticket-5519"),
        single(ticket, (5540, mail + "the courier never rings"), tags=tags, key="ticket-5540"),
        single(ticket, (5547, mail + "your team is great"), tags=staging("back-office"), key="ticket-5547"),
        single(shop.streamed_chat, ("Suggest a subject line for the shipping mail",), tags=prod("content"),
               key="streamed"),
    ]


def failing_model_calls() -> list[Callable]:
    """Calls that the model server refuses.

    They run on their own: while one fails, autologging skips calls that start on other threads.
    """
    return [
        single(shop.summarise_ticket, (5551, "From anna@example.com: see 40 pages attached"),
               {"key": "sk-fault-400", "max_tokens": 40000}, tags=prod("back-office"), key="ticket-too-long"),
        single(shop.plain_chat, ("Write the product text for bowl BOWL-3",), {"key": "sk-fault-429"},
               tags=prod("content"), key="limited"),
    ]


def checkout_calls() -> list[Callable]:
    def buy(cart: dict, key: str, user: str | None = None, tags: dict | None = None, **kwargs):
        return single(shop.checkout, (cart, "**** 4417"), kwargs, tags=tags or prod("checkout"), key=key,
                      request=shop.Request(f"cart-{key}", user))

    return [
        buy({"K-12": 1, "MUG-1": 4}, "two-articles", "ann.kessler"),
        buy({"EM-3": 1, "K-12": 2, "MUG-1": 6}, "retried", "f.haddad", slow_payment_tries=1),
        buy({"MUG-1": 2}, "slow-payment", payment_ms=1900),
        buy({"EM-3": 1}, "payment-down", "g.weber", slow_payment_tries=2),
        buy({}, "empty"),
        buy({"MUG-1": 120}, "too-many", tags=staging("checkout")),
        single(shop.session_check, ("s-91ab",), tags=prod("checkout"), key="session-check"),
    ]


def batch(name: str, reviews: list[str], load_ms: int) -> Callable[[], dict[str, str]]:
    def job() -> dict[str, str]:
        with mlflow.start_run(run_name=name):
            call = Call(shop.nightly_batch, (reviews, load_ms), tags=prod("data", job="reviews"))
            return {name: call.run()[0]}

    return job


def grading(name: str, pairs: list[tuple[str, str]]) -> Callable[[], dict[str, str]]:
    def job() -> dict[str, str]:
        with mlflow.start_run(run_name=name):
            calls = [Call(shop.grade_answer, pair, tags=staging("data", job="grading")) for pair in pairs]
            return {f"grade/{i}": call.run()[0] for i, call in enumerate(calls, 1)}

    return job


def evaluation_jobs() -> list[Callable]:
    reviews = ["great kettle", "arrived late, box broken", "lovely", "does what it should", "never again",
               "my third one", "good value for the money, would buy again", "mug is fine"]
    return [
        batch("reviews-2026-11-20", reviews[:5], 900),
        batch("reviews-2026-11-21", reviews[2:4] + [" "], 400),
        batch("reviews-full", reviews, 3400),
        grading("grading-42", [
            ("How long can I return an article?", "30 days after delivery [returns-policy]."),
            ("Do you ship to Switzerland?", "Yes, for EUR 12.90."),
            ("Is there a battery warranty?", "Two years on everything."),
        ]),
    ]


def open_telemetry(server: str, experiment_id: str):
    """Requests of a gateway that knows only OpenTelemetry."""
    exporter = OTLPSpanExporter(server + "/v1/traces", headers={"x-mlflow-experiment-id": experiment_id})
    resource = Resource.create({"service.name": "storefront-gateway", "service.version": "4.8.1"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("storefront")
    gateway_request(tracer, "What goes with the kettle K-12?", "Our mugs MUG-1, four for EUR 28.", 340)
    gateway_request(tracer, "Gift ideas under 20 euros?", "The bowl BOWL-3 or a set of two mugs.", 510)
    gateway_request(tracer, "Do you have red towels?", None, 120)
    provider.shutdown()


def gateway_request(tracer, question: str, answer: str | None, model_ms: int):
    with tracer.start_as_current_span("POST /v1/assist", kind=SpanKind.SERVER) as root:
        root.set_attributes({"http.request.method": "POST", "url.path": "/v1/assist", "session.id": "gw-3d90",
                             "user.id": "anonymous"})
        with tracer.start_as_current_span("auth.check", attributes={"enduser.scope": "shop"}):
            shop.pause(4)
        with tracer.start_as_current_span("chat gpt-4o-mini", kind=SpanKind.CLIENT) as chat:
            chat.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.system": "openai",
                                 "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
                                 "gen_ai.request.temperature": 0.3, "gen_ai.prompt": question})
            shop.pause(model_ms)
            if answer is None:
                chat.set_status(Status(StatusCode.ERROR, "upstream closed the connection"))
            else:
                chat.set_attributes({"gen_ai.completion": answer, "gen_ai.usage.input_tokens": 60 + len(question),
                                     "gen_ai.usage.output_tokens": len(answer) // 4})
        if answer is None:
            root.add_event("fallback", {"to": "static-answer", "attempt": 1})
            root.set_status(Status(StatusCode.ERROR, "502 from model"))
        root.set_attribute("http.response.status_code", 502 if answer is None else 200)


def run_jobs(jobs: list[Callable], pool: ThreadPoolExecutor) -> dict[str, str]:
    """Runs the jobs, each in a context of its own: a failed call can leave its span active behind it."""
    traces = {}
    for found in pool.map(lambda job: contextvars.copy_context().run(job), jobs):
        traces.update(found)
    return traces


def assess(traces: dict[str, str]):
    """What judges, code checks and people said about the traces."""
    judge = AssessmentSource("LLM_JUDGE", "gpt-4o-mini")
    code = AssessmentSource("CODE", "checks.citations")
    clerk = AssessmentSource("HUMAN", "m.brandt")
    customer = AssessmentSource("HUMAN", "customer")

    def feedback(key: str, name: str, value, source: AssessmentSource, rationale: str | None = None, **more):
        mlflow.log_feedback(trace_id=traces[key], name=name, value=value, source=source, rationale=rationale, **more)

    feedback("chat-81c4/1", "relevance", 0.94, judge, "The answer names the period and the exclusions.")
    feedback("chat-81c4/2", "relevance", 0.79, judge)
    feedback("rag-leak", "relevance", 0.85, judge, "Helpful steps, in order.", metadata={"judge_version": "3"})
    feedback("rag-graz", "relevance", 0.21, judge, "No document was about a store in Graz.")
    for key, value in [("chat-81c4/1", True), ("chat-81c4/2", True), ("rag-graz", False), ("rag-leak", True)]:
        feedback(key, "cites_source", value, code)
    feedback("chat-81c4/3", "relevance", None, judge,
             error=AssessmentError("RATE_LIMIT_EXCEEDED", "judge model: 429 after 3 tries"))
    feedback("chat-5f21/3", "csat", 5, customer, "quick answer")
    feedback("chat-81c4/3", "csat", 3, customer, "had to ask twice", metadata={"mlflow.trace.session": "chat-81c4"})
    feedback("return", "tone", "friendly", judge)
    feedback("refund-locked", "tone", "n/a", clerk, "no answer was given")
    feedback("ticket-5519", "priority_correct", True, clerk)
    feedback("ticket-5540", "priority_correct", False, clerk, "should be high: third failed delivery")
    feedback("kettle", "correct", True, clerk)
    expect_answers(traces, clerk)
    correct_a_feedback(traces["chat-81c4/2"], clerk)
    for i, score in enumerate([4, 4, 1], 1):
        feedback(f"grade/{i}", "score", score, AssessmentSource("LLM_JUDGE", "claude-sonnet-4-20250514"))


def expect_answers(traces: dict[str, str], source: AssessmentSource):
    expectations = [
        ("kettle", "answer", "32 in stock"),
        ("grade/1", "expected_answer", "30 days"),
        ("grade/2", "expected_answer", {"costs": 12.9, "days": [3, 6]}),
        ("grade/3", "expected_answer", "12 months"),
        ("ticket-5540", "priority", "high"),
    ]
    for key, name, value in expectations:
        mlflow.log_expectation(trace_id=traces[key], name=name, value=value, source=source)


def correct_a_feedback(trace_id: str, source: AssessmentSource):
    """A person overrides what a judge said; both stay on the trace."""
    first = mlflow.log_feedback(trace_id=trace_id, name="faithful", value=False,
                                source=AssessmentSource("LLM_JUDGE", "gpt-4o-mini"),
                                rationale="The 80 % are not in the source.")
    mlflow.override_feedback(trace_id=trace_id, assessment_id=first.assessment_id, value=True, source=source,
                             rationale="They are: warranty-terms, section 4.")


def late_tags(traces: dict[str, str]):
    mlflow.set_trace_tag(traces["payment-down"], "incident", "INC-2291")
    mlflow.set_trace_tag(traces["retried"], "reviewed by", "m.brandt")
    mlflow.set_trace_tag(traces["rag-invoice-down"], "incident", "INC-2288")


def quiet():
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    warnings.filterwarnings("ignore")
    for name in ("mlflow", "openai", "anthropic", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)


def autolog(**wanted: bool):
    """Turns the named autologging integrations on or off."""
    for flavor, on in wanted.items():
        getattr(mlflow, flavor).autolog(disable=not on, silent=True)


def make_traces(server: str, experiment: str, evaluations: str) -> dict[str, str]:
    """Makes all traces, waits until the server has them, and gives the trace ids by short key."""
    quiet()
    models = model_server.start()
    os.environ["MODEL_SERVER"] = f"http://127.0.0.1:{models.server_port}"
    mlflow.set_tracking_uri(server)
    autolog(openai=True, anthropic=True, langchain=True)
    with ThreadPoolExecutor(WORKERS) as pool:
        mlflow.set_experiment(evaluations)
        traces = run_jobs(evaluation_jobs(), pool)
        mlflow.flush_trace_async_logging()
        shop_id = mlflow.set_experiment(experiment).experiment_id
        jobs = order_calls() + rag_calls() + checkout_calls() + text_calls()
        traces.update(run_jobs(jobs, pool))
    open_telemetry(server, shop_id)
    with ThreadPoolExecutor(1) as alone:
        traces.update(run_jobs(failing_model_calls(), alone))
        autolog(openai=False)
        traces.update(run_jobs(langchain_calls(), alone))
    mlflow.flush_trace_async_logging()
    late_tags(traces)
    assess(traces)
    return traces


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    parser.add_argument("--experiment", default="shop-assistant")
    parser.add_argument("--evaluations", default="nightly-evals", help="experiment of the evaluation jobs")
    options = parser.parse_args()
    started = time.monotonic()
    traces = make_traces(options.tracking_uri.rstrip("/"), options.experiment, options.evaluations)
    print(f"{len(traces) + 3} traces in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
