"""May it: rules over who calls, where to, and what is in it. What no rule allows is denied."""

from gatekeeper.policy.denied import answer_denial, denial, suggest_rule
from gatekeeper.policy.policy import Explanation, Policy

__all__ = ["Explanation", "Policy", "answer_denial", "denial", "suggest_rule"]
