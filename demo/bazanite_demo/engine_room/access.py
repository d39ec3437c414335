"""Who may look into the engine room: programs of this machine, that meant to."""

from __future__ import annotations

from flask import Request

from ..application import is_loopback, names_this_machine


def refusal(request: Request) -> str | None:
    """Why this request is refused; None: it is not.

    Besides the address that it comes from the name counts that it was sent to: another one may be a
    foreign page's, which was made to lead here (DNS rebinding).
    """
    if not is_loopback(request.remote_addr or ""):
        return "The engine room is shown to this machine only."
    if not names_this_machine(request.headers.get("Host", "")):
        return "The engine room is shown under the names 127.0.0.1 and localhost only."
    if request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site") and (
        request.method != "GET" or request.headers.get("Sec-Fetch-Mode") != "navigate"
    ):
        return "Another site's page asked for this."
    return None
