"""An offline stand-in: a recording answers a re-run of the application. Nothing here ever connects to anything."""

from gatekeeper.replay.serve.cassette import Cassette, Departure
from gatekeeper.replay.serve.stand_in import StandIn

__all__ = ["Cassette", "Departure", "StandIn"]
