"""Recorded calls in the forms that other tools read. All of it is masked, as it was recorded."""

from gatekeeper.replay.export.curl import curl_lines
from gatekeeper.replay.export.har import har_pieces
from gatekeeper.replay.export.otlp import otlp_pieces
from gatekeeper.replay.export.rows import csv_lines, json_lines

__all__ = ["csv_lines", "curl_lines", "har_pieces", "json_lines", "otlp_pieces"]
