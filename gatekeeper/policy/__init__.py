"""May it: rules over who calls, where to, and what is in it. What no rule allows is denied."""

from gatekeeper.policy.denied import denial, suggest_rule
from gatekeeper.policy.policy import Explanation, Policy

__all__ = ["Explanation", "Policy", "denial", "suggest_rule"]
