"""Makes a SQLite store of a travel desk's traces by MLflow's own API: many that are healthy, and twenty with a fault each.

Times, texts and figures depend on the seed alone; ids are MLflow's. The last line on standard output is a JSON
object from fault to trace id; faults.py tells what is wrong with each of them, and how to find out.
"""

from __future__ import annotations

import argparse
import json
import os
import random

# Spans are written many at a time, by one writer, since SQLite takes no more.
os.environ["MLFLOW_ASYNC_TRACE_LOGGING_MAX_WORKERS"] = "1"

import mlflow
from mlflow.entities import SpanEvent, SpanStatus, SpanStatusCode
from sqlalchemy import Engine, event

START_NS = 1_795_000_000_000_000_000
MINUTE_NS = 60_000_000_000
MODEL, SMALL_MODEL, DEAR_MODEL = "gpt-4.1", "gpt-4o-mini", "o1-pro"
TENANTS = ["initech", "umbrella", "hooli", "stark"]
USERS = ["ada", "ben", "cleo", "dan", "eva", "finn", "gus", "hana", "ivo", "jana"]
CITIES = ["Lisbon", "Oslo", "Porto", "Vienna", "Madrid", "Athens", "Dublin", "Prague"]
POLICIES = {
    "baggage": "One bag of 23 kg is included in every economy fare.",
    "refunds": "Flexible fares are refunded in full until two hours before departure.",
    "hotels": "Hotels up to EUR 140 a night need no approval.",
    "trains": "Trips below four hours are made by train.",
}
TYPES = {"passengers": "integer"}
TOOLS = {"search_flights": ["origin", "destination"], "book_flight": ["flight", "passengers"],
         "cancel_booking": ["booking"], "check_visa": ["country"], "hold_seat": ["flight", "seat"]}


def definition(name: str) -> dict:
    properties = {key: {"type": TYPES.get(key, "string")} for key in TOOLS[name]}
    parameters = {"type": "object", "properties": properties, "required": TOOLS[name]}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


@event.listens_for(Engine, "connect")
def hurry(connection, _):
    """Spans are written one by one; nothing is lost if the machine stops meanwhile."""
    connection.execute("PRAGMA synchronous = OFF")


def release_of(number: int) -> str:
    """Two releases share the traffic."""
    return "r42" if number // 5 % 2 else "r41"


class Failure(Exception):
    """What a span fails with: the class as the traced program names it, and what it says."""

    def __init__(self, kind: str, text: str):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


class Trace:
    """One trace in the making; its clock goes on with each span."""

    def __init__(self, name: str, kind: str, question: str, number: int, chance: random.Random, **facts: str):
        self.chance, self.now = chance, START_NS + number * 7 * MINUTE_NS
        self.question, self.messages = question, [{"role": "user", "content": question}]
        release = release_of(number)
        tags = {"tenant": TENANTS[number % len(TENANTS)], "release": release} | {
            key: value for key, value in facts.items() if key in ("tenant", "release")}
        metadata = {"mlflow.trace.user": facts.get("user", f"{chance.choice(USERS)}.{number:03}")}
        self.root = mlflow.start_span_no_context(name, kind, inputs={"question": question}, tags=tags,
                                                 metadata=metadata, start_time_ns=self.now)
        self.wait(2)

    @property
    def id(self) -> str:
        return self.root.trace_id

    def wait(self, ms: float):
        self.now += int(ms * 1_000_000)

    def about(self, ms: float) -> float:
        return ms * self.chance.uniform(0.9, 1.1)

    def begin(self, name: str, kind: str, inputs, parent=None, **attributes):
        span = mlflow.start_span_no_context(name, kind, parent_span=parent or self.root, inputs=inputs,
                                            attributes=attributes, start_time_ns=self.now)
        return span

    def finish(self, span, outputs=None, failure: Failure | None = None):
        if failure:
            said = {"exception.type": failure.kind, "exception.message": failure.text,
                    "exception.stacktrace": f"Traceback (most recent call last):\n{failure}\n"}
            span.add_event(SpanEvent("exception", timestamp=self.now, attributes=said))
            span.set_status(SpanStatus(SpanStatusCode.ERROR, str(failure)))
        span.end(outputs=outputs, end_time_ns=self.now)
        self.wait(1)

    def span(self, name: str, kind: str, ms: float, inputs, outputs=None, failure=None, parent=None, **attributes):
        """A span without children."""
        span = self.begin(name, kind, inputs, parent, **attributes)
        self.wait(self.about(ms))
        self.finish(span, outputs, failure)

    def tool(self, name: str, arguments: dict, result=None, failure=None, ms: float = 120, parent=None):
        self.span(name, "TOOL", ms, arguments, result, failure, parent)

    def chat(self, text: str = "", calls: list[tuple[str, dict]] = (), tools=(), *, model: str = MODEL,
             finish: str = "", refusal: str | None = None, usage: tuple[int, int] = (), failure=None,
             system: str = "You are the travel desk.", parent=None, ms: float = 600):
        """A call of a model in OpenAI's form; the answer joins the conversation."""
        request = {"model": model, "messages": [{"role": "system", "content": system}, *self.messages]}
        if tools:
            request["tools"] = [definition(name) for name in tools]
        span = self.begin("Completions", "CHAT_MODEL", request, parent, model=model)
        span.set_attribute("mlflow.message.format", "openai")
        span.set_attribute("mlflow.llm.model", model)
        self.wait(self.about(ms))
        if failure:
            return self.finish(span, None, failure)
        first = sum("tool_calls" in each for each in self.messages)
        message = {"role": "assistant", "content": text or None, "refusal": refusal}
        if calls:
            message["tool_calls"] = [
                {"id": f"call_{first}_{at}", "type": "function",
                 "function": {"name": name, "arguments": json.dumps(arguments)}}
                for at, (name, arguments) in enumerate(calls)]
        prompt, answer = usage or (len(json.dumps(request)) // 4, 10 + len(json.dumps(message)) // 4)
        counted = {"input_tokens": prompt, "output_tokens": answer, "total_tokens": prompt + answer}
        span.set_attribute("mlflow.chat.tokenUsage", counted)
        self.messages.append({key: value for key, value in message.items() if value is not None})
        finish = finish or ("tool_calls" if calls else "stop")
        self.finish(span, {
            "id": f"chatcmpl-{self.now:x}", "object": "chat.completion", "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}})

    def answered(self, result):
        """The result of the last call of a tool, as the model is told of it."""
        call = self.messages[-1]["tool_calls"][0]["id"] if "tool_calls" in self.messages[-1] else "call_0_0"
        self.messages.append({"role": "tool", "tool_call_id": call, "content": json.dumps(result)})

    def use(self, name: str, arguments: dict, result, tools, **more):
        """The model calls a tool, which answers."""
        self.chat(calls=[(name, arguments)], tools=tools, **more)
        self.tool(name, arguments, result)
        self.answered(result)

    def end(self, answer=None, failure: Failure | None = None) -> str:
        self.finish(self.root, answer, failure)
        return self.id


def travel(number: int, chance: random.Random, question: str, **facts) -> Trace:
    return Trace("travel-agent", "AGENT", question, number, chance, **facts)


def policy(number: int, chance: random.Random, question: str, **facts) -> Trace:
    return Trace("policy-answer", "CHAIN", question, number, chance, **facts)


def retrieve(trace: Trace, topic: str | None, *, search_ms: float = 90, rerank_ms: float = 60):
    trace.span("embed", "EMBEDDING", 40, {"input": trace.question}, [0.1, 0.2, 0.3])
    documents = [{"page_content": text, "metadata": {"doc_uri": f"policy/{key}", "score": 0.9 if key == topic else 0.4}}
                 for key, text in sorted(POLICIES.items(), key=lambda each: each[0] != topic)]
    documents = documents[:2] if topic else []
    trace.span("vector-search", "RETRIEVER", search_ms, {"query": trace.question, "top_k": 2}, documents)
    trace.span("rerank", "RERANKER", rerank_ms, {"documents": len(documents)}, documents[:1])


def healthy(number: int, chance: random.Random) -> str:
    if number % 5 < 3:
        city, flight = chance.choice(CITIES), f"TD{chance.randrange(100, 999)}"
        trace = travel(number, chance, f"Find me a flight to {city}")
        found = [{"flight": flight, "price": chance.randrange(80, 400)}]
        trace.use("search_flights", {"origin": "ZRH", "destination": city}, found, ["search_flights", "book_flight"])
        trace.chat(f"{flight} to {city} costs EUR {found[0]['price']}.", tools=["search_flights", "book_flight"])
    else:
        topic = chance.choice(sorted(POLICIES))
        trace = policy(number, chance, f"What is our rule on {topic}?")
        retrieve(trace, topic, rerank_ms=60 if release_of(number) == "r41" else 460)
        trace.chat(POLICIES[topic], system=f"Answer from this: {POLICIES[topic]}")
    return trace.end(trace.messages[-1]["content"])


# The faults.


def wrong_tool(at, chance):
    trace = travel(at, chance, "Please cancel my booking BK-5512", user="mara.lind")
    tools = ["search_flights", "cancel_booking"]
    trace.use("search_flights", {"origin": "ZRH", "destination": "BK-5512"}, [], tools)
    trace.chat("I could not find any flights, sorry.", tools=tools)
    return trace.end(trace.messages[-1]["content"])


def empty_retrieval(at, chance):
    trace = policy(at, chance, "Who pays for my visa?")
    retrieve(trace, None)
    trace.chat("There is no rule on visas that I know of.", system="Answer from this: ")
    return trace.end(trace.messages[-1]["content"])


def retry_storm(at, chance):
    trace = travel(at, chance, "Hold seat 12A on TD481 for me")
    arguments = {"flight": "TD481", "seat": "12A"}
    trace.chat(calls=[("hold_seat", arguments)], tools=["hold_seat"])
    for attempt in range(17):
        trace.tool("hold_seat", arguments, failure=Failure("SeatMapBusy", f"seat map is locked, attempt {attempt + 1}"), ms=45)
    trace.tool("hold_seat", arguments, {"held": True}, ms=45)
    trace.answered({"held": True})
    trace.chat("Seat 12A is yours.", tools=["hold_seat"])
    return trace.end(trace.messages[-1]["content"])


def slow_child(at, chance):
    trace = policy(at, chance, "What is our rule on trains?")
    retrieve(trace, "trains", search_ms=11_300)
    trace.chat(POLICIES["trains"], system=f"Answer from this: {POLICIES['trains']}")
    return trace.end(trace.messages[-1]["content"])


def lost_error(at, chance):
    trace = travel(at, chance, "Book TD733 for me", user="otto.brandt")
    arguments = {"flight": "TD733", "passengers": 1}
    trace.use("book_flight", arguments, {"error": "fare TD733-Y is no longer on sale"}, ["book_flight"])
    trace.chat("Your flight TD733 is booked. Have a good trip!", tools=["book_flight"])
    return trace.end(trace.messages[-1]["content"])


def stale_prompt(at, chance):
    trace = policy(at, chance, "How heavy may my bag be?")
    retrieve(trace, "baggage")
    trace.chat("Your bag may weigh 20 kg.", system="One bag of 20 kg is included. Answer the question.")
    return trace.end(trace.messages[-1]["content"])


def fallback_model(at, chance):
    trace = travel(at, chance, "Find me a flight to Reykjavik")
    trace.chat(failure=Failure("ModelOverloaded", f"{MODEL} has no capacity"), ms=80)
    trace.chat("Flights to Reykjavik leave from the train station.", model="gpt-3.5-turbo")
    return trace.end(trace.messages[-1]["content"])


def rate_limit(at, chance):
    trace = travel(at, chance, "Find me a flight to Zagreb")
    failure = Failure("RateLimitError", "Error code: 429 - requests per minute: limit 60, used 60")
    trace.chat(failure=failure, ms=70)
    return trace.end(failure=failure)


def cut_off(at, chance):
    trace = travel(at, chance, "List all trains from Zurich to Milan", user="lea.conti")
    trace.chat("Trains to Milan leave at 06:33, 07:33, 08:33, 09:33 and at", finish="length")
    return trace.end(trace.messages[-1]["content"])


def refusal(at, chance):
    trace = travel(at, chance, "Find a pharmacy near my hotel", user="noor.aziz")
    trace.chat(refusal="I can't help with medical matters.")
    return trace.end("I can't help with medical matters.")


def wrong_tenant(at, chance):
    trace = travel(at, chance, "Show me the trips of my team", tenant="stark", user="tony.ruiz")
    trace.tool("list_trips", {"tenant": "wayne", "team": "all"}, [{"trip": "WY-1", "to": "Gotham"}])
    trace.messages[0]["content"] += "\nTrips: WY-1 to Gotham"
    trace.chat("Your team has one trip: WY-1 to Gotham.")
    return trace.end(trace.messages[-1]["content"])


def token_explosion(at, chance):
    trace = travel(at, chance, "Summarise my trips of this year")
    trace.use("search_flights", {"origin": "ZRH", "destination": "*"}, ["flight"], ["search_flights"], model=SMALL_MODEL)
    trace.chat("You made three trips.", tools=["search_flights"], model=SMALL_MODEL, usage=(183_420, 31))
    return trace.end(trace.messages[-1]["content"])


def cost_outlier(at, chance):
    trace = travel(at, chance, "Which of these two hotels is nearer?")
    trace.chat("The first one.", model=DEAR_MODEL, usage=(5_210, 4_800), ms=2_400)
    return trace.end(trace.messages[-1]["content"])


def timeout(at, chance):
    trace = travel(at, chance, "Find me a flight to Tbilisi")
    failure = Failure("ReadTimeout", "fares.example did not answer within 20 s")
    step = trace.begin("plan-trip", "CHAIN", {"to": "Tbilisi"})
    search = trace.begin("search_flights", "TOOL", {"origin": "ZRH", "destination": "TBS"}, step)
    trace.span("fare-request", "TASK", 20_000, {"url": "https://fares.example/v2?to=TBS"}, failure=failure, parent=search)
    trace.finish(search, failure=failure)
    trace.finish(step, failure=failure)
    return trace.end(failure=failure)


def unfinished(at, chance):
    trace = travel(at, chance, "Book TD904 for two", user="pia.holm")
    trace.chat(calls=[("book_flight", {"flight": "TD904", "passengers": 2})], tools=["book_flight"])
    trace.tool("reserve-seats", {"flight": "TD904", "seats": 2}, {"reserved": ["7C", "7D"]})
    return trace.id


def swallowed(at, chance):
    trace = travel(at, chance, "Rebook me to the evening flight", user="kofi.mensah")
    step = trace.begin("settle-fare", "CHAIN", {"booking": "BK-7710"})
    trace.tool("post-to-ledger", {"booking": "BK-7710", "amount": 84},
               failure=Failure("LedgerRejected", "account 4410 is closed"), parent=step)
    trace.finish(step, {"settled": True})
    trace.chat("You are rebooked to the evening flight.")
    return trace.end(trace.messages[-1]["content"])


def wrong_argument(at, chance):
    trace = travel(at, chance, "Book TD118 for my wife and me", user="sam.okoye")
    arguments = {"flight": "TD118", "passengers": "two"}
    trace.use("book_flight", arguments, {"booking": "BK-9034", "passengers": 1}, ["book_flight"])
    trace.chat("Done: BK-9034.", tools=["book_flight"])
    return trace.end(trace.messages[-1]["content"])


def tool_ignored(at, chance):
    trace = travel(at, chance, "Do I need a visa for Brazil?", user="yuki.mori")
    tools = ["search_flights", "check_visa"]
    trace.use("search_flights", {"origin": "ZRH", "destination": "GRU"}, [{"flight": "TD640"}], tools)
    trace.chat("No visa is needed for Brazil, I think.", tools=tools)
    return trace.end(trace.messages[-1]["content"])


def tool_loop(at, chance):
    trace = travel(at, chance, "Find me a flight to Atlantis")
    for _ in range(9):
        trace.use("search_flights", {"origin": "ZRH", "destination": "Atlantis"}, [], ["search_flights"])
    failure = Failure("StepLimit", "gave up after 9 steps")
    return trace.end(failure=failure)


# The twentieth is in no trace alone: `rerank` of the newer release is slow, in `healthy`.
FAULTS = {
    "wrong-tool": wrong_tool, "empty-retrieval": empty_retrieval, "retry-storm": retry_storm, "slow-child": slow_child,
    "lost-error": lost_error, "stale-prompt": stale_prompt, "fallback-model": fallback_model, "rate-limit": rate_limit,
    "cut-off-answer": cut_off, "refusal": refusal, "wrong-tenant": wrong_tenant, "token-explosion": token_explosion,
    "cost-outlier": cost_outlier, "timeout": timeout, "unfinished": unfinished, "swallowed-failure": swallowed,
    "wrong-argument": wrong_argument, "tool-ignored": tool_ignored, "tool-loop": tool_loop,
}


def make(uri: str, count: int, seed: int) -> dict[str, str]:
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("travel-desk")
    for kg in (20, 21, 22, 23):
        prompt = mlflow.genai.register_prompt("policy-system", f"One bag of {kg} kg is included. Answer the question.")
    prompts = {version: mlflow.genai.load_prompt(f"prompts:/policy-system/{version}") for version in (1, prompt.version)}
    chance = random.Random(seed)
    slots = dict(zip(sorted(chance.sample(range(5, count + len(FAULTS) - 5), len(FAULTS))), chance.sample(sorted(FAULTS), len(FAULTS))))
    client, made, linked = mlflow.MlflowClient(), {}, {}
    for number in range(count + len(FAULTS)):
        fault = slots.get(number)
        chance = random.Random(f"{seed}/{number}")
        trace_id = FAULTS[fault](number, chance) if fault else healthy(number, chance)
        if fault:
            made[fault] = trace_id
        if number % 20 == 19:
            mlflow.flush_trace_async_logging()
        if fault == "stale-prompt" or not fault and number % 5 >= 3:
            linked[trace_id] = prompts[1 if fault else prompt.version]
    mlflow.flush_trace_async_logging()
    for trace_id, version in linked.items():
        client.link_prompt_versions_to_trace([version], trace_id)
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracking-uri", required=True)
    parser.add_argument("--healthy", type=int, default=200, help="traces without a fault")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(make(options.tracking_uri, options.healthy, options.seed)))


if __name__ == "__main__":
    main()
