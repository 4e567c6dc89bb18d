"""The shapes of API keys: what the big providers and clouds publish, or their keys show."""

import re
from typing import Final

from gatekeeper.masking.detector import Detector
from gatekeeper.masking.validators import random_looking

_LEFT: Final = r"(?<![A-Za-z0-9])"

# (what a key begins with, what follows), in syntax that RE2 and `regex` share.
_SHAPES: Final = (
    ("sk-ant-", r"[\w-]{16,250}"),  # Anthropic
    ("sk-(?:proj|svcacct|admin|or-v1|None)-", r"[\w-]{16,250}"),  # OpenAI, OpenRouter
    ("(?:AKIA|ASIA|ABIA|ACCA)", "[A-Z0-9]{16,20}"),  # AWS access key ids
    ("gh[pousr]_", "[A-Za-z0-9]{30,255}"),  # GitHub
    ("github_pat_", r"\w{22,255}"),
    ("gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct)-", r"[\w.-]{18,255}"),  # GitLab
    ("AIza", r"[\w-]{35,60}"),  # Google API keys
    (r"ya29\.", r"[\w-]{20,255}"),  # Google OAuth tokens
    ("GOCSPX-", r"[\w-]{28,60}"),  # Google OAuth client secrets
    ("xox[abeoprs]-", r"[\w-]{10,250}"),  # Slack
    (r"xapp-\d-", r"[\w-]{20,250}"),
    (r"hooks\.slack\.com/services/", r"T\w{6,14}/B\w{6,14}/\w{20,30}"),
    ("(?:sk|rk)_(?:live|test)_", "[A-Za-z0-9]{10,247}"),  # Stripe
    ("whsec_", "[A-Za-z0-9+/=]{24,128}"),
    ("hf_", "[A-Za-z0-9]{30,60}"),  # Hugging Face
    (r"SG\.", r"[\w-]{16,40}\.[\w-]{16,64}"),  # SendGrid
    ("key-", "[0-9a-f]{32}"),  # Mailgun
    ("SK", "[0-9a-f]{32}"),  # Twilio
    ("npm_", "[A-Za-z0-9]{36,64}"),
    ("pypi-AgE", r"[\w-]{50,255}"),
    ("do[opr]_v1_", "[0-9a-f]{64}"),  # DigitalOcean
    ("shp(?:at|ca|pa|ss)_", "[0-9A-Fa-f]{32}"),  # Shopify
    (r"\d{8,10}:AA", r"[\w-]{32,40}"),  # Telegram
    ("dapi", "[0-9a-f]{32}"),  # Databricks
    ("gsk_", "[A-Za-z0-9]{40,80}"),  # Groq
    ("xai-", "[A-Za-z0-9]{60,120}"),  # xAI
    ("pplx-", "[A-Za-z0-9]{40,80}"),  # Perplexity
    ("r8_", "[A-Za-z0-9]{36,60}"),  # Replicate
    ("nvapi-", r"[\w-]{60,120}"),  # NVIDIA
    ("tvly-", r"[\w-]{20,80}"),  # Tavily
    ("lsv2_(?:pt|sk)_", r"\w{32,80}"),  # LangSmith
    ("hv[bs][.]", r"[\w-]{24,255}"),  # HashiCorp Vault
    ("lin_api_", "[A-Za-z0-9]{32,80}"),  # Linear
    ("(?:secret|ntn)_", "[A-Za-z0-9]{43,60}"),  # Notion
    ("NRAK-", "[A-Z0-9]{27}"),  # New Relic
    ("glsa_", r"[A-Za-z0-9]{32}_[0-9a-f]{8}"),  # Grafana
    ("sbp_", "[0-9a-f]{40}"),  # Supabase
    ("ATATT3", r"[\w=-]{60,255}"),  # Atlassian
    ("PMAK-", "[0-9a-f]{24}-[0-9a-f]{34}"),  # Postman
    ("AccountKey=", "[A-Za-z0-9+/]{86}=="),  # Azure Storage
)


def _shape(start: str, rest: str) -> Detector:
    ascii_only = rest.replace(r"[\w", "[A-Za-z0-9_").replace(r"\w", "[A-Za-z0-9_]")
    least = re.sub(r"\{(\d+),\d+\}\Z", r"{\1}", ascii_only)  # the gate need not see where a key ends
    return Detector(
        entity="API_KEY", pattern=f"{_LEFT}(?:{start}){ascii_only}", prefilter=f"(?:{start}){least}", priority=2
    )


# `sk-` alone is also how class names begin, so what follows must look random.
_PLAIN_SK: Final = Detector(
    entity="API_KEY",
    pattern=_LEFT + r"sk-[A-Za-z0-9_-]{20,250}",
    prefilter=r"sk-[A-Za-z0-9_-]{20}",
    validate=random_looking,
    priority=1,
)
_AWS_SECRET: Final = Detector(
    entity="API_KEY",
    pattern=r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])",
    prefilter=r"(?i)aws.?secret|secret.?access.?key",
    context=r"aws.?secret(?:.?access)?(?:.?key)?|secret.?access.?key",
)

API_KEYS: Final = (*(_shape(start, rest) for start, rest in _SHAPES), _PLAIN_SK, _AWS_SECRET)
