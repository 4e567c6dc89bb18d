"""A LangChain agent that refunds an order. It knows nothing of Gatekeeper.

Run it with `python agent.py MODEL_URL REFUNDS_URL`; HTTPS_PROXY and SSL_CERT_FILE do the rest.
"""

import sys

import httpx
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

TASK = "Customer 8812 sent back order A-1042. Look the customer up and refund it."
PATIENCE = 60.0
"""Seconds that the tool waits for its answer."""


def refunds_tool(url: str) -> BaseTool:
    """Make the tool that calls the refunds API."""

    @tool
    def issue_refund(order: str, amount: str) -> str:
        """Refund an order to the card it was paid with."""
        answer = httpx.post(f"{url}/v1/refunds", json={"order": order, "amount": amount}, timeout=PATIENCE)
        return answer.text

    return issue_refund


def tell(message: AnyMessage) -> None:
    """Print what the agent sees and does."""
    match message:
        case AIMessage():
            if message.text:
                print("model:", message.text, flush=True)
            for call in message.tool_calls:
                arguments = ", ".join(f"{name}={value!r}" for name, value in call["args"].items())
                print(f"calls: {call['name']}({arguments})", flush=True)
        case ToolMessage():
            print("tool: ", message.text, flush=True)
        case _:
            pass


def main(model_url: str, refunds_url: str) -> None:
    """Run the agent on its task."""
    model = ChatOpenAI(model="gpt-4o", base_url=f"{model_url}/v1", api_key=SecretStr("placeholder"), max_retries=0)
    agent = create_agent(model, [refunds_tool(refunds_url)])
    print("user: ", TASK, flush=True)
    for update in agent.stream({"messages": [{"role": "user", "content": TASK}]}, stream_mode="updates"):
        for step in update.values():
            for message in step["messages"]:
                tell(message)


if __name__ == "__main__":
    main(*sys.argv[1:])
