"""A small web shop's assistant, instrumented with MLflow: the program that `make_traces.py` runs.

Shop systems (orders, stock, payments, documents) are in-memory stand-ins with fixed latencies; the
models are called with the real SDKs and must be served by `model_server.py`.
"""

from __future__ import annotations

import contextvars
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import mlflow
from anthropic import Anthropic
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command
from mlflow.entities import Document, SpanEvent, SpanType
from openai import OpenAI

ORDERS = {
    "A-1042": {"status": "shipped", "carrier": "GLS", "tracking_no": "GLS-77120", "total": 128.4},
    "B-2210": {"status": "packing", "total": 59.9},
    "C-3307": {"status": "delivered", "items": ["HP-200"], "total": 89.0},
}
STOCK = {"HP-200-BLK": 14, "K-12": 32, "BOWL-3": 0, "EM-3": 5, "MUG-1": 210}
PRICES = {"K-12": 34.5, "EM-3": 349.0, "MUG-1": 7.9, "BOWL-3": 18.0}
DOCUMENTS = [
    ("returns-policy", "Articles can be returned within 30 days of delivery, unused and in their packaging.", 0.91),
    ("shipping-abroad", "Switzerland: EUR 12.90, 3-6 working days. Import duties are due on delivery.", 0.88),
    ("warranty-terms", "Batteries carry a 12 month warranty. Capacity above 80 % counts as normal wear.", 0.84),
    ("payment-methods", "Invoice: EUR 20 to EUR 500, after a credit check. Cards and PayPal without limit.", 0.82),
    ("gift-cards", "Gift cards are valid for three years from the end of the year of purchase.", 0.87),
    ("manual-em3", "If the EM-3 leaks: empty the drip tray, seat the tank, replace seal ring SR-8.", 0.79),
]


class PaymentTimeout(TimeoutError):
    """The payment provider did not answer in time."""


class IndexUnavailable(ConnectionError):
    """The document index cannot be reached."""


@dataclass(frozen=True)
class Request:
    """What the web front end knows about the request being served."""

    id: str | None = None
    user: str | None = None
    session: str | None = None


REQUEST: contextvars.ContextVar[Request] = contextvars.ContextVar("request", default=Request())


def identify():
    """Marks the current trace with the request, its user and its session."""
    request = REQUEST.get()
    mlflow.update_current_trace(client_request_id=request.id, user=request.user, session_id=request.session)


def openai_client(key: str = "sk-local") -> OpenAI:
    return OpenAI(base_url=os.environ["MODEL_SERVER"] + "/v1", api_key=key, max_retries=0)


def anthropic_client(key: str = "sk-local") -> Anthropic:
    return Anthropic(base_url=os.environ["MODEL_SERVER"], api_key=key, max_retries=0)


def chat_model(model: str = "gpt-4o-mini") -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=os.environ["MODEL_SERVER"] + "/v1", api_key="sk-local",
                      use_responses_api=False)


def pause(ms: float):
    time.sleep(ms / 1000)


# Tools that both the plain tool loop and the agent graph use.


def lookup_order(order_id: str) -> dict:
    """Looks an order up."""
    pause(70)
    if order_id not in ORDERS:
        raise KeyError(f"no order {order_id}")
    return ORDERS[order_id]


def track_parcel(tracking_no: str) -> dict:
    """Asks the carrier where a parcel is."""
    pause(480)
    return {"state": "in delivery", "depot": "Leipzig", "eta": "tomorrow 9:00-13:00"}


def cancel_order(order_id: str) -> dict:
    """Cancels an order."""
    pause(140)
    return {"order_id": order_id, "cancelled": True, "refund": ORDERS[order_id]["total"]}


def create_return(order_id: str, sku: str) -> dict:
    """Opens a return."""
    pause(210)
    return {"return_id": "R-881", "label": "sent by mail", "until": "14 December"}


def refund_status(return_id: str) -> dict:
    """Tells where a refund is."""
    pause(95)
    if return_id == "R-404":
        raise LookupError("return R-404 is locked by another clerk")
    return {"return_id": return_id, "state": "waiting for parcel"}


def stock_level(sku: str) -> int:
    """Pieces of an article in stock."""
    pause(60)
    return STOCK[sku]


PARAMETERS = {
    lookup_order: ["order_id"], track_parcel: ["tracking_no"], cancel_order: ["order_id"],
}


def tool_schema(function) -> dict:
    names = PARAMETERS[function]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
    return {"type": "function",
            "function": {"name": function.__name__, "description": function.__doc__, "parameters": schema}}


TRACED_TOOLS = {function.__name__: mlflow.trace(function, span_type=SpanType.TOOL) for function in PARAMETERS}


@mlflow.trace(name="order-helper", span_type=SpanType.AGENT)
def order_helper(question: str, history: list[dict]) -> str:
    """Answers an order question with a plain tool loop over the OpenAI API."""
    identify()
    client = openai_client()
    tools = [tool_schema(function) for function in tools_for(question)]
    messages = history + [{"role": "user", "content": question}]
    for _ in range(4):
        answer = client.chat.completions.create(model="gpt-4o", messages=messages, tools=tools, temperature=0)
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump(exclude_none=True))
        messages += [run_tool(call) for call in message.tool_calls]
    raise RuntimeError("the model keeps calling tools")


def tools_for(question: str) -> list:
    if "cancel" in question:
        return [cancel_order]
    return [lookup_order, track_parcel] if "where" in question.lower() else [lookup_order]


def run_tool(call) -> dict:
    """Runs one tool call; an error becomes the tool's answer, as the model should see it."""
    try:
        result = TRACED_TOOLS[call.function.name](**json.loads(call.function.arguments))
    except KeyError as error:
        result = {"error": str(error)}
    return {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)}


GRAPH_TOOLS = {
    "return": [tool(lookup_order), tool(create_return)],
    "refund": [tool(refund_status)],
    "stock": [tool(stock_level)],
}


def agent_graph(skill: str):
    """Model and tools in a loop, until the model answers without a tool call."""
    tools = GRAPH_TOOLS[skill]
    model = chat_model("gpt-4.1-mini").bind_tools(tools)

    def agent(state: MessagesState) -> Command[Literal["tools", "__end__"]]:
        message = model.invoke(state["messages"])
        return Command(goto="tools" if message.tool_calls else END, update={"messages": [message]})

    graph = StateGraph(MessagesState)
    graph.add_node("agent", agent)
    graph.add_node("tools", ToolNode(tools, handle_tool_errors=False))
    graph.add_edge(START, "agent")
    graph.add_edge("tools", "agent")
    return graph.compile()


@mlflow.trace(name="support-agent", span_type=SpanType.AGENT)
def support_agent(question: str, history: list) -> str:
    """Answers with the agent graph."""
    identify()
    skill = next((skill for skill in GRAPH_TOOLS if skill in question), "refund")
    state = agent_graph(skill).invoke({"messages": [*history, HumanMessage(question)]})
    return state["messages"][-1].content


# Answers from documents.


@mlflow.trace(name="rag-answer", span_type=SpanType.CHAIN)
def rag_answer(question: str, slow_index: bool = False) -> str:
    identify()
    documents = retrieve(embed(question), question, slow_index)
    best = rerank(question, documents)
    context = "\n".join(f"[{doc['metadata']['doc_uri']}] {doc['page_content']}" for doc in best)
    return generate(question, context)


def embed(question: str) -> list[float]:
    data = openai_client().embeddings.create(model="text-embedding-3-small", input=question).data
    return data[0].embedding


@mlflow.trace(name="vector-search", span_type=SpanType.RETRIEVER, attributes={"index": "help-center", "top_k": 2})
def retrieve(vector: list[float], question: str, slow_index: bool) -> list[Document]:
    span = mlflow.get_current_active_span()
    if "invoice" in question and slow_index:
        pause(1500)
        raise IndexUnavailable("help-center: no shard answered within 1500 ms")
    if slow_index:
        span.add_event(SpanEvent("shard.retry", attributes={"shard": 2, "attempt": 1, "reason": "cold cache"}))
        pause(2600)
    pause(35 + len(question))
    return [Document(page_content=text, metadata={"doc_uri": uri, "score": score})
            for uri, text, score in ranked(question)]


def ranked(question: str) -> list[tuple[str, str, float]]:
    words = set(question.lower().replace("?", "").split())
    return sorted(DOCUMENTS, key=lambda doc: -len(words & set(doc[1].lower().split())))[:2]


@mlflow.trace(name="rerank", span_type=SpanType.RERANKER)
def rerank(question: str, documents: list[Document]) -> list[dict]:
    pause(28)
    return [doc.to_dict() for doc in sorted(documents, key=lambda doc: -doc.metadata["score"])][:1]


def generate(question: str, context: str) -> str:
    answer = openai_client().chat.completions.create(
        model="gpt-4o-mini", temperature=0.2,
        messages=[{"role": "system", "content": "Answer from the context.\n" + context},
                  {"role": "user", "content": question}])
    return answer.choices[0].message.content


# Tickets, texts, translations.


@mlflow.trace(name="summarise-ticket", span_type=SpanType.CHAIN)
def summarise_ticket(number: int, text: str, key: str = "sk-local", max_tokens: int = 300) -> dict:
    with mlflow.start_span("redact-personal-data", span_type=SpanType.PARSER) as span:
        span.set_inputs({"chars": len(text)})
        clean = text.replace("@", " at ")
        pause(6)
        span.set_outputs({"redacted": text.count("@")})
    summary = ask_claude(f"Summarise ticket {number}: {clean}", key, max_tokens)
    return {"ticket": number, "summary": summary, "priority": summary.split("Priority: ")[-1].rstrip(".")}


def ask_claude(prompt: str, key: str, max_tokens: int) -> str:
    message = anthropic_client(key).messages.create(
        model="claude-sonnet-4-20250514", max_tokens=max_tokens, messages=[{"role": "user", "content": prompt}])
    return message.content[0].text


def plain_chat(prompt: str, key: str = "sk-local") -> str:
    answer = openai_client(key).chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content


def streamed_chat(prompt: str) -> str:
    stream = openai_client().chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": prompt}], stream=True,
        stream_options={"include_usage": True})
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def translate(text: str, language: str) -> str:
    """A LangChain chain of prompt, model and parser."""
    prompt = ChatPromptTemplate.from_messages([("system", "You translate shop messages."),
                                               ("user", "Translate to {language}: {text}")])
    chain = prompt | chat_model() | StrOutputParser()
    return chain.invoke({"language": language, "text": text})


# Checkout: shop systems in parallel, payment with retries.


@mlflow.trace(name="checkout", span_type=SpanType.WORKFLOW)
def checkout(cart: dict[str, int], card: str, slow_payment_tries: int = 0, payment_ms: int = 420) -> dict:
    identify()
    validate_cart(cart)
    if not cart:
        return {"state": "nothing to buy"}
    results = in_parallel([(check_stock, (sku, count)) for sku, count in cart.items()]
                          + [(quote_prices, (cart,)), (fraud_score, (card,))])
    if not all(results[:len(cart)]):
        return {"state": "out of stock"}
    payment = pay(card, results[-2], slow_payment_tries, payment_ms)
    confirm(payment)
    return {"state": "paid", "total": results[-2], "payment": payment}


def in_parallel(calls: list[tuple]) -> list:
    """Runs the calls at the same time, each under the current span, and returns their results in order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(contextvars.copy_context().run, function, *args) for function, args in calls]
        return [future.result() for future in futures]


@mlflow.trace(name="validate-cart", span_type=SpanType.GUARDRAIL)
def validate_cart(cart: dict[str, int]) -> bool:
    pause(3)
    if any(count > 99 for count in cart.values()):
        raise ValueError("more than 99 pieces of one article need a business account")
    return True


@mlflow.trace(name="check-stock", span_type=SpanType.TOOL)
def check_stock(sku: str, count: int) -> bool:
    pause(60 + 9 * len(sku) * count)
    return STOCK.get(sku, 0) >= count


@mlflow.trace(name="quote-prices", span_type=SpanType.TOOL)
def quote_prices(cart: dict[str, int]) -> float:
    pause(110)
    return round(sum(PRICES.get(sku, 0) * count for sku, count in cart.items()), 2)


@mlflow.trace(name="fraud-score", span_type="SCORER")
def fraud_score(card: str) -> float:
    pause(230)
    mlflow.get_current_active_span().set_attributes({"model": "fraud-gbm-7", "features": 41})
    return 0.07


def pay(card: str, total: float, slow_tries: int, payment_ms: int) -> str:
    """Charges the card; a timeout is tried again, twice in all."""
    with mlflow.start_span("payment", span_type=SpanType.CHAIN) as span:
        span.set_inputs({"card": card, "total": total})
        for attempt in (1, 2):
            try:
                reference = charge(card, total, attempt, attempt <= slow_tries, payment_ms)
                break
            except PaymentTimeout:
                span.add_event(SpanEvent("payment.retry", attributes={"attempt": attempt, "wait_ms": 200 * attempt}))
                if attempt == 2:
                    raise
                pause(200 * attempt)
        span.set_outputs({"reference": reference, "attempts": attempt})
    return reference


@mlflow.trace(name="charge-card", span_type=SpanType.TOOL)
def charge(card: str, total: float, attempt: int, too_slow: bool, payment_ms: int) -> str:
    if too_slow:
        pause(900)
        raise PaymentTimeout("payment provider: no answer within 900 ms")
    pause(payment_ms)
    return "PAY-" + card[-4:] + str(round(total * 100))


@mlflow.trace(name="send-confirmation", span_type=SpanType.TASK)
def confirm(payment: str) -> bool:
    pause(18)
    return True


@mlflow.trace(name="session-check", span_type=SpanType.TOOL)
def session_check(token: str) -> bool:
    pause(4)
    return token.startswith("s-")


# Evaluation jobs.


@mlflow.trace(name="nightly-batch", span_type=SpanType.WORKFLOW)
def nightly_batch(reviews: list[str], load_ms: int) -> dict:
    """Classifies reviews four at a time, then writes a report."""
    with mlflow.start_span("load-reviews", span_type=SpanType.TASK) as span:
        pause(load_ms)
        span.set_outputs({"rows": len(reviews)})
    labels = []
    for start in range(0, len(reviews), 4):
        with mlflow.start_span("classify-chunk", span_type=SpanType.CHAIN) as span:
            chunk = reviews[start:start + 4]
            span.set_inputs({"first": start, "count": len(chunk)})
            labels += in_parallel([(classify, (review,)) for review in chunk])
    with mlflow.start_span("write-report", span_type=SpanType.TASK):
        pause(load_ms * 0.7)
    return {label: labels.count(label) for label in sorted(set(labels))}


@mlflow.trace(name="classify-review", span_type=SpanType.TASK)
def classify(review: str) -> str:
    if not review.strip():
        raise ValueError("empty review")
    pause(180 + 12 * len(review))
    bad = any(word in review for word in ("broken", "late", "never"))
    return "negative" if bad else "positive"


@mlflow.trace(name="grade-answer", span_type=SpanType.EVALUATOR)
def grade_answer(question: str, answer: str) -> dict:
    graded = ask_claude(f"Grade the answer. Question: {question} Answer: {answer}", "sk-local", 200)
    return json.loads(graded)
