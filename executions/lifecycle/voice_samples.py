"""Samples of voices. VideoGen offers no recordings of its voices, so an ordinary job speaks one sentence.

Its result stays in the library, and later listeners get it at once.
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
    """The job that produced the sample, or None."""
    return create.find_earlier_success(tools.TOOLS["text-to-speech"], _body(voice))


def start(voice: Voice, actor: Actor) -> Execution:
    """The job that produces the sample: the unfinished one if there is one, else a new one, still queued. Raises NotAllowed."""
    policy.require(actor, Action.JOB_START)
    tool = tools.TOOLS["text-to-speech"]
    body = tools.validate(tool, _body(voice), tools.AccountChoices(voices=[voice.voice_id])).body
    assert body is not None, "our own sentences are within the limits"
    samples = Execution.objects.filter(fingerprint=create.fingerprint(tool, body))
    finished = samples.filter(status__in=TERMINAL).count()
    # People who listen meanwhile share this job. After a failure, the next listener starts another.
    unfinished = samples.exclude(status__in=TERMINAL).first()
    if unfinished is not None:
        return unfinished
    return create.start(tool=tool, body=body, actor=actor, key=f"sample.{voice.voice_id}.{finished}")[0]
