"""`make compose-test`: the compose stack for real. Builds, starts, plays the demo's day, scales in its middle, takes
each dependency away, plays the day again on the scaled stack, and checks that everything stops in order.

`ARGS=day` or `ARGS=outages` does that part alone.
"""

import os
import signal
import subprocess
import sys

import typer

from tests.compose.outages import OUTAGES, each_turns_red_and_green
from tests.compose.stack import ROOT, RUNNING, SCALE, Failed, Stack, running
from tests.support.eventually import eventually_now

PARTS = ("day", "outages")


def what_is_missing_is_named() -> None:
    """Without the profile and without values, nothing starts and one message names all of them, and no value."""
    command = ["docker", "compose", "-p", f"supportops-test-{os.getpid()}-bare", "--env-file", os.devnull]
    environment = os.environ | {"SECRETS_DIR": "./deploy/sandbox-secrets", "SLACK_TOKEN": "xoxb-left-in-env"}
    done = subprocess.run(
        [*command, "run", "--rm", "--no-deps", "preflight"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    subprocess.run(
        [*command, "down", "--timeout", "5"], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    said = done.stdout + done.stderr
    named = (
        "ZENDESK_CLIENT_ID: is missing",
        "SLACK_TOKEN: is published",
        "ZENDESK_CLIENT_SECRET: is published",
    )
    if done.returncode == 0 or not all(words in said for words in named) or "xoxb" in said:
        raise Failed(f"the preflight did not say what is wrong: {said[-1000:]}")


def scaled(stack: Stack) -> None:
    """As many workers as the rest of the test asks for."""
    stack.compose("up", "-d", "--no-recreate", *SCALE)
    eventually_now(
        lambda: stack.all_are("healthy", RUNNING), within=60, every=1, about="the replicas' health"
    )


def stops_in_order(stack: Stack) -> None:
    """Every process of ours ends by itself when it is told to."""
    typer.echo("== stopping")
    stack.compose("stop", "--timeout", "30")
    ended = {c["Name"]: c["ExitCode"] for c in stack.containers() if c["Service"] in RUNNING}
    if any(ended.values()):
        raise Failed(f"not every service stopped in order: {ended}")


def engine_answers() -> bool:
    """Whether there is an engine and the compose plug-in."""
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            if subprocess.run(command, capture_output=True, timeout=30).returncode != 0:
                return False
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return False
    return True


def test(parts: tuple[str, ...]) -> str:
    """What was done, for the last line. Raises Failed or NotYet."""
    what_is_missing_is_named()
    done = []
    with running() as stack:
        if "day" in parts:
            stack.play(scale=True)
        scaled(stack)
        if "outages" in parts:
            typer.echo("== taking each dependency away")
            each_turns_red_and_green(stack)
            done.append(f"{len(OUTAGES)} dependencies taken away")
        if "day" in parts:
            typer.echo("== the same day again, on the scaled stack")
            stack.play(scale=False)
            done.append("2 days played")
        stops_in_order(stack)
    return f"{', '.join(done)}, {sum(RUNNING.values())} processes stopped in order, nothing lost, nothing doubled"


def main() -> int:
    """0 when everything was as it should be."""
    parts = tuple(sys.argv[1:]) or PARTS
    if unknown := set(parts) - set(PARTS):
        typer.echo(f"compose-test: unknown {', '.join(unknown)}; known: {', '.join(PARTS)}", err=True)
        return 2
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # ended from outside, it still takes the stack down
    if not engine_answers():
        typer.echo(
            "compose-test needs a Docker engine with the compose plug-in, and none answers here", err=True
        )
        return 2
    try:
        done = test(parts)
    except (Failed, AssertionError) as error:
        typer.echo(f"compose-test: {error}", err=True)
        return 1
    typer.echo(f"compose-test: {done}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
