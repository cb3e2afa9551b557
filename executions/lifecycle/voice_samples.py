"""A voice, heard: VideoGen has no recordings of its voices, so a sentence is spoken once, as a job like any other.

What was made stays in the library, and whoever listens to that voice later hears it at once.
"""

from __future__ import annotations

from typing import Any

from executions import policy, tools
from executions.lifecycle import create
from executions.models import Execution
from executions.policy import Action, Actor
from executions.statuses import TERMINAL
from executions.videogen import Voice

SENTENCES = {
    "de": "Guten Tag. So klinge ich, wenn ich eine Zeile aus Ihrem nächsten Film lese.",
    "es": "Hola. Así sueno cuando leo una línea de tu próxima película.",
    "fr": "Bonjour. Voici ma voix, quand je lis une phrase de votre prochain film.",
    "it": "Ciao. Ecco come suono quando leggo una battuta del tuo prossimo film.",
    "nl": "Hallo. Zo klink ik als ik een zin uit je volgende film lees.",
    "pt": "Olá. É assim que eu soo quando leio uma frase do seu próximo filme.",
    "en": "Hello. This is how I sound when I read a line of your next film.",
}


def _body(voice: Voice) -> dict[str, Any]:
    language = voice.language_code.partition("-")[0].lower()
    return {
        "ttsText": SENTENCES.get(language, SENTENCES["en"]),
        "voiceId": voice.voice_id,
        "numResults": 1,
    }


def find(voice: Voice) -> Execution | None:
    """The job that made the sample, if it was made."""
    return create.made_before(tools.TOOLS["text-to-speech"], _body(voice))


def start(voice: Voice, actor: Actor) -> Execution:
    """The job that makes the sample: the one that is doing so already, or a new one, not sent yet."""
    policy.require(actor, Action.JOB_START)
    tool = tools.TOOLS["text-to-speech"]
    body = tools.validate(tool, _body(voice), tools.AccountChoices(voices=[voice.voice_id])).body
    assert body is not None, "our own sentences are within the limits"
    same = Execution.objects.filter(fingerprint=create.fingerprint(tool, body))
    ended = same.filter(status__in=TERMINAL).count()
    # Everybody who asks meanwhile finds this one; after a failure the next listener starts another.
    under_way = same.exclude(status__in=TERMINAL).first()
    if under_way is not None:
        return under_way
    return create.start(tool=tool, body=body, actor=actor, key=f"sample.{voice.voice_id}.{ended}")[0]
