"""Says what to do about an error of VideoGen's, beside what VideoGen says of it."""

from __future__ import annotations

from typing import Any

BY_CODE = {
    "insufficient_credits": "The account has no credits left. Nothing was started; an admin can buy more at VideoGen.",
    "missing_api_key": "The key is missing. An admin has to set it.",
    "invalid_api_key": "The key is wrong or was revoked. An admin has to put it right.",
    "invalid_parameters": "Change what it names, and start again.",
    "rate_limited": "It is sent again by itself when the limit allows.",
}
BY_REQUIREMENT = {
    "purchase_add_on": "This needs an add-on",
    "upgrade_plan": "This needs another plan",
}
BY_STATUS = {
    401: "The key is not taken. An admin has to put it right.",
    403: "The account may not do this.",
}


def refusal(error: dict[str, Any]) -> dict[str, Any]:
    """{message, code, requirement, advice} for a page."""
    return {
        "message": error.get("message") or "VideoGen refused this without a word.",
        "code": error.get("code") or "",
        "requirement": error.get("requirement"),
        "advice": advice(error),
    }


def advice(error: dict[str, Any]) -> str:
    """What to do, in a sentence; empty when we know no better than the message."""
    requirement = error.get("requirement") or {}
    if requirement.get("type"):
        kind = requirement["type"]
        need = BY_REQUIREMENT.get(kind, f"This needs something of the account ({kind.replace('_', ' ')})")
        details = ", ".join(
            str(value).replace("_", " ") for value in (requirement.get("details") or {}).values()
        )
        return f"{need}: {details}." if details else f"{need}."
    return BY_CODE.get(error.get("code") or "") or BY_STATUS.get(error.get("status") or 0, "")
