"""Providers' wire formats: what a request asks, what an answer says, and how to refuse so that a client shows it."""

from gatekeeper.dialects.answer import AnswerReader, answer_reader, read_answer
from gatekeeper.dialects.refused import error_answer
from gatekeeper.dialects.request import read_request
from gatekeeper.dialects.route import dialect_of

__all__ = ["AnswerReader", "answer_reader", "dialect_of", "error_answer", "read_answer", "read_request"]
