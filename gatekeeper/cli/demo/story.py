"""The story: eight steps, each by the same programs and commands that people use."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from gatekeeper.cli.demo.certificates import make_certificate
from gatekeeper.cli.demo.installation import (
    REVIEWER,
    REVIEWER_KEY,
    SUBJECT,
    copy_agent,
    make_reviewer,
    write_config,
)
from gatekeeper.cli.demo.processes import GATEKEEPER, Processes, Started, StepFailed, wait_for
from gatekeeper.cli.demo.screen import Screen
from gatekeeper.cli.demo.upstreams import CARD, EMAIL, Upstream, paid_orders, start_upstream, write_script

RECORDED: Final = b'"status":200'
"""What stands in the leaf of each answer: the byte that is flipped is the first digit of its status."""


class Story:
    """Told once, in order."""

    def __init__(self, folder: Path, processes: Processes, screen: Screen, *, kept: bool) -> None:
        self.folder, self.processes, self.screen, self.kept = folder, processes, screen, kept
        self.began = time.monotonic()

    def tell(self) -> None:
        """Tell it; raises StepFailed."""
        self.screen.title("Gatekeeper, a real LangChain agent, and a mock model. It takes half a minute.")
        model, refunds, gateway, proxy = self._start()
        agent = self._run_agent(proxy, model, refunds)
        approval = self._show_hold(agent, gateway, refunds)
        self._approve(approval, agent, refunds)
        session = self._show_journal()
        self._replay(session)
        gateway.process.terminate()
        with self.screen.waiting("the gateway closes its journal"):
            gateway.wait()
        self._verify()
        self._tamper()
        self._close(session)

    def _start(self) -> tuple[Upstream, Upstream, Started, str]:
        self.screen.step("Start a mock model, a refunds API and the gateway")
        with self.screen.waiting("starting"):
            certificate = make_certificate(self.folder / "upstreams")
            model = start_upstream(self.processes, "model", "llmock.main:app", certificate)
            refunds = start_upstream(self.processes, "refunds", "gatekeeper.cli.demo.refunds:app", certificate)
            proxy = write_config(self.folder, certificate, model.port, refunds.port)
            make_reviewer(self.folder)
            gateway = self.processes.start("gateway", [*GATEKEEPER, "run"], {})
            write_script(model)
            paid_orders(refunds)
            wait_for("the gateway's ready line", lambda: f"ready: http://{proxy}" in gateway.written() or None, gateway)
        self.screen.note(f"model    {model.url}  (llmock, speaks OpenAI's format)")
        self.screen.note(f"refunds  {refunds.url}")
        self.screen.note(f"gateway  http://{proxy}   (gatekeeper run)")
        self.screen.note("rules    the agent may ask its model; a refund waits for a finance lead")
        return model, refunds, gateway, proxy

    def _run_agent(self, proxy: str, model: Upstream, refunds: Upstream) -> Started:
        self.screen.step("Run the agent. All that it is told: HTTPS_PROXY and a CA file")
        token = self.processes.run("identity", "issue", "--subject", SUBJECT, "--group", "support-agents").strip()
        environment = {
            "HTTPS_PROXY": f"http://workload:{token}@{proxy}",
            "SSL_CERT_FILE": str(self.folder / "certs" / "bundle.pem"),
        }
        program = copy_agent(self.folder)
        self.screen.command("gatekeeper identity issue --subject", SUBJECT, "--group support-agents")
        self.screen.command(
            f"HTTPS_PROXY=http://workload:TOKEN@{proxy} SSL_CERT_FILE=certs/bundle.pem",
            f"python agent.py {model.url} {refunds.url}",
        )
        agent = self.processes.start("agent", [sys.executable, "-P", str(program), model.url, refunds.url], environment)
        with self.screen.waiting("the agent starts"):
            said = wait_for("the agent's call of its tool", lambda: _lines_until(agent, "calls:"), agent)
        for line in said:
            self.screen.stream(line)
        masked = "\n".join(said)
        if EMAIL in masked or CARD in masked or "<EMAIL_ADDRESS>" not in masked or "<CREDIT_CARD>" not in masked:
            msg = "the agent's answer was not masked"
            raise StepFailed(msg, agent.log)
        self.screen.note(f"The model sent {EMAIL} and {CARD}:")
        self.screen.good("masked before the agent saw them.")
        return agent

    def _show_hold(self, agent: Started, gateway: Started, refunds: Upstream) -> str:
        self.screen.step("The tool's call is held")
        with self.screen.waiting("the agent calls its tool"):
            approval = wait_for("the approval", self._pending, agent, gateway)
        self.screen.command("gatekeeper approvals show", approval)
        self.screen.output(self.processes.run("approvals", "show", approval), most=26)
        if paid_orders(refunds):
            msg = "a refund was paid before it was approved"
            raise StepFailed(msg, gateway.log)
        self.screen.good("Nothing has reached the refunds API, and the agent waits.")
        return approval

    def _pending(self) -> str | None:
        approvals = json.loads(self.processes.run("approvals", "list", "--json"))
        return next((str(one["id"]) for one in approvals if one["state"] == "pending"), None)

    def _approve(self, approval: str, agent: Started, refunds: Upstream) -> None:
        self.screen.step(f"{REVIEWER} approves, with an SSH key")
        command = ("approvals", "approve", approval, "--key", REVIEWER_KEY, "--as", REVIEWER, "--reason", "box is back")
        self.screen.command("gatekeeper", *command[:-1], f"'{command[-1]}'")
        before = len(agent.written().splitlines())
        self.screen.output(self.processes.run(*command))
        with self.screen.waiting("the agent finishes"):
            agent.wait()
        for line in agent.written().splitlines()[before:]:
            self.screen.stream(line)
        if paid_orders(refunds) != ["A-1042"]:
            msg = "the approved refund did not reach the refunds API"
            raise StepFailed(msg, refunds.started.log)
        self.screen.good("The refund is paid, once, and the agent has ended well.")

    def _show_journal(self) -> str:
        self.screen.step("The masked exchange, from the journal")
        entries = json.loads(self.processes.run("journal", "list", "--json"))["entries"]
        request = next(entry for entry in entries if entry["type"] == "request")
        answer = next(
            entry for entry in entries if entry["type"] == "response" and entry["exchange"] == request["exchange"]
        )
        command = ("journal", "show", str(answer["seq"]), "--body")
        self.screen.command("gatekeeper", *command)
        self.screen.output(self.processes.run(*command), most=32)
        return str(request["session"])

    def _replay(self, session: str) -> None:
        self.screen.step("Replay the session")
        command = ("replay", "show", session[:8], "--body", "none")
        self.screen.command("gatekeeper", *command)
        self.screen.output(self.processes.run(*command), most=30)

    def _verify(self) -> None:
        self.screen.step("Stop the gateway, and verify its journal")
        self.screen.command("gatekeeper journal verify")
        self.screen.output(self.processes.run("journal", "verify"))

    def _tamper(self) -> None:
        self.screen.step("Flip one byte in a copy of it")
        copy = self.folder / "tampered"
        shutil.copytree(self.folder / "data" / "journal", copy)
        flip_byte(copy / "journal.db")
        self.screen.command("gatekeeper journal verify tampered")
        self.screen.output(self.processes.run("journal", "verify", "tampered", expected=1))
        self.screen.good("Found.")

    def _close(self, session: str) -> None:
        self.screen.step(f"Done in {time.monotonic() - self.began:.0f} s. What to try next")
        if self.kept:
            self.screen.note(f"cd {self.folder}")
            for command in (
                f"gatekeeper replay show {session}",
                "gatekeeper journal list",
                f"gatekeeper replay serve {session[:8]} --timed",
                "gatekeeper journal verify --anchors data/journal/anchors.log",
                "gatekeeper evidence build --from 1d --to now --out evidence",
                "gatekeeper run        # then, in another terminal: gatekeeper status",
            ):
                self.screen.command(command)
            return
        self.screen.command("gatekeeper demo --keep demo    # keeps all of this, to look around in")
        self.screen.command("gatekeeper run                 # then, in another terminal:")
        self.screen.command("gatekeeper exec --subject billing-bot -- python my_agent.py")


def flip_byte(database: Path) -> None:
    """Make a recorded `"status":200` another number, by one byte; raises StepFailed where there is none."""
    content = bytearray(database.read_bytes())
    place = content.find(RECORDED)
    if place < 0:
        msg = f"{database}: holds no recorded answer"
        raise StepFailed(msg)
    content[place + len(RECORDED) - 3] ^= 1
    database.write_bytes(content)


def _lines_until(agent: Started, last: str) -> list[str] | None:
    text = agent.written()
    whole = text[: text.rfind("\n") + 1].splitlines()
    return whole if any(line.startswith(last) for line in whole) else None
