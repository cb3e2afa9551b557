"""Advice shown beside an error from VideoGen: what the person can do about it."""

from __future__ import annotations

from typing import Any

BY_CODE = {
    "insufficient_credits": "The account has no credits left. Nothing was started; an admin can buy more at VideoGen.",
    "missing_api_key": "The key is missing. An admin must set it.",
    "invalid_api_key": "The key is wrong or was revoked. An admin must replace it.",
    "invalid_parameters": "Change the settings it names and start again.",
    "rate_limited": "It is sent again automatically when the limit allows.",
}
BY_REQUIREMENT = {
    "purchase_add_on": "This needs an add-on",
    "upgrade_plan": "This needs another plan",
}
BY_STATUS = {
    401: "VideoGen did not accept the key. An admin must replace it.",
    403: "The account is not allowed to do this.",
}


def refusal(error: dict[str, Any]) -> dict[str, Any]:
    """{message, code, requirement, advice} for a page."""
    return {
        "message": error.get("message") or "VideoGen rejected this without giving a reason.",
        "code": error.get("code") or "",
        "requirement": error.get("requirement"),
        "advice": advice(error),
    }


def advice(error: dict[str, Any]) -> str:
    """What to do, as a sentence; empty if nothing can be added to the message."""
    requirement = error.get("requirement") or {}
    if requirement.get("type"):
        kind = requirement["type"]
        need = BY_REQUIREMENT.get(kind, f"The account does not meet a requirement ({kind.replace('_', ' ')})")
        details = ", ".join(
            str(value).replace("_", " ") for value in (requirement.get("details") or {}).values()
        )
        return f"{need}: {details}." if details else f"{need}."
    return BY_CODE.get(error.get("code") or "") or BY_STATUS.get(error.get("status") or 0, "")
