"""The shapes of API keys: what the big providers and clouds publish, or their keys show."""

import re
from typing import Final

from gatekeeper.masking.detector import Detector
from gatekeeper.masking.detectors.entropy import high_entropy, random_looking

_LEFT: Final = r"(?:(?<![A-Za-z0-9])|(?<=/bot))"

# (what a key begins with, what follows), in syntax that RE2 and `regex` share.
_SHAPES: Final = (
    ("sk-ant-", r"[\w-]{16,250}"),  # Anthropic
    ("sk-(?:proj|svcacct|admin|or-v1|None|lf|litellm)-", r"[\w-]{16,250}"),  # OpenAI, OpenRouter, Langfuse, LiteLLM
    ("(?:AKIA|ASIA|ABIA|ACCA)", "[A-Z0-9]{16,20}"),  # AWS access key ids
    ("ABSK", "[A-Za-z0-9+/]{100,270}={0,2}"),  # AWS Bedrock
    ("gh[pousr]_", "[A-Za-z0-9]{30,255}"),  # GitHub
    ("github_pat_", r"\w{22,255}"),
    ("gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct)-", r"[\w-]{18,60}(?:\.[\w-]{1,60}){0,3}"),  # GitLab
    ("AIza", r"[\w-]{35,60}"),  # Google API keys
    (r"ya29\.", r"[\w-]{20,255}"),  # Google OAuth tokens
    ("GOCSPX-", r"[\w-]{28,60}"),  # Google OAuth client secrets
    ("xox[abeoprs]-", r"[\w-]{10,250}"),  # Slack
    (r"xapp-\d-", r"[\w-]{20,250}"),
    (r"hooks\.slack\.com/services/", r"T\w{6,14}/B\w{6,14}/\w{20,30}"),
    (r"discord(?:app)?\.com/api/webhooks/", r"\d{17,20}/[\w-]{60,80}"),  # Discord
    ("[MNO][A-Za-z0-9]{23,25}", r"\.[\w-]{6}\.[\w-]{27,40}"),
    ("(?:sk|rk|pk)_(?:live|test|prod)_", "[A-Za-z0-9]{10,247}"),  # Stripe, Clerk
    ("whsec_", "[A-Za-z0-9+/=]{24,128}"),
    ("hf_", "[A-Za-z0-9]{30,60}"),  # Hugging Face
    (r"SG\.", r"[\w-]{16,40}\.[\w-]{16,64}"),  # SendGrid
    ("key-", "[0-9a-f]{32}"),  # Mailgun
    ("SK", "[0-9a-f]{32}"),  # Twilio
    ("AC", "[0-9a-f]{32}"),
    ("[0-9a-f]{32}-us", "[0-9]{1,2}"),  # Mailchimp
    ("xkeysib-", "[0-9a-f]{64}-[A-Za-z0-9]{16}"),  # Brevo
    ("re_", "[A-Za-z0-9]{8}_[A-Za-z0-9]{20,30}"),  # Resend
    ("npm_", "[A-Za-z0-9]{36,64}"),
    ("pypi-AgE", r"[\w-]{50,255}"),
    ("rubygems_", "[0-9a-f]{48}"),
    ("crates_io_|cio", "[A-Za-z0-9]{32}"),
    ("dckr_pat_", r"[\w-]{20,60}"),  # Docker
    ("do[opr]_v1_", "[0-9a-f]{64}"),  # DigitalOcean
    ("shp(?:at|ca|pa|ss|tka)_", "[0-9A-Fa-f]{32}"),  # Shopify
    ("sq0(?:atp|csp|idp)-", r"[\w-]{22,60}"),  # Square
    ("EAAA[A-Za-z0-9]", r"[\w-]{55,80}"),
    ("EAA[A-Za-z]", "[A-Za-z0-9]{80,250}"),  # Facebook
    (r"\d{8,10}:AA", r"[\w-]{32,40}"),  # Telegram
    ("dapi", "[0-9a-f]{32}(?:-[0-9])?"),  # Databricks
    ("gsk_", "[A-Za-z0-9]{40,80}"),  # Groq
    ("xai-", "[A-Za-z0-9]{60,120}"),  # xAI
    ("pplx-", "[A-Za-z0-9]{40,80}"),  # Perplexity
    ("r8_", "[A-Za-z0-9]{36,60}"),  # Replicate
    ("nvapi-", r"[\w-]{60,120}"),  # NVIDIA
    ("tvly-", r"[\w-]{20,80}"),  # Tavily
    ("csk-", "[a-z0-9]{40,60}"),  # Cerebras
    ("fw_", "[A-Za-z0-9]{20,40}"),  # Fireworks
    ("tgp_v1_", r"[\w-]{40,60}"),  # Together
    ("jina_", r"[\w]{50,80}"),  # Jina
    ("pcsk_", r"[\w]{40,90}"),  # Pinecone
    ("lsv2_(?:pt|sk)_", r"\w{32,80}"),  # LangSmith
    ("ls__", "[0-9a-f]{32}"),
    ("hv[bsr][.]", r"[\w-]{24,255}"),  # HashiCorp Vault
    ("[A-Za-z0-9]{14}[.]atlasv1[.]", r"[\w-]{60,80}"),  # Terraform Cloud
    ("pul-", "[0-9a-f]{40}"),  # Pulumi
    ("lin_(?:api|oauth)_", "[A-Za-z0-9]{32,80}"),  # Linear
    ("(?:secret|ntn)_", "[A-Za-z0-9]{43,60}"),  # Notion
    ("pat[A-Za-z0-9]{14}[.]", "[0-9a-f]{64}"),  # Airtable
    ("figd_", r"[\w-]{40,60}"),  # Figma
    ("NRAK-", "[A-Z0-9]{27}"),  # New Relic
    ("glsa_", r"[A-Za-z0-9]{32}_[0-9a-f]{8}"),  # Grafana
    ("glc_", "[A-Za-z0-9+/=]{32,250}"),
    ("sntry[su]_", "[A-Za-z0-9+/=_]{40,250}"),  # Sentry
    ("phc_|phx_", "[A-Za-z0-9]{40,60}"),  # PostHog
    ("dop_|doo_", "[A-Za-z0-9]{60,80}"),
    ("sbp_", "[0-9a-f]{40}"),  # Supabase
    ("sb_(?:secret|publishable)_", r"[\w-]{20,60}"),
    ("pscale_(?:tkn|pw|oauth)_", r"[\w.-]{32,64}"),  # PlanetScale
    ("ATATT3|ATCTT3", r"[\w=-]{60,255}"),  # Atlassian
    ("ATBB", "[A-Za-z0-9]{24,40}"),  # Bitbucket
    ("PMAK-", "[0-9a-f]{24}-[0-9a-f]{34}"),  # Postman
    ("vc[pkiar]_", "[A-Za-z0-9]{24,80}"),  # Vercel
    ("v1[.]0-", "[0-9a-f]{24}-[0-9a-f]{146}"),  # Cloudflare origin CA
    ("cfut_|cfat_", r"[\w-]{40,60}"),
    ("HRKU-", r"[\w-]{36,80}"),  # Heroku
    ("fo1_", r"[\w-]{43}"),  # Fly.io
    ("fm[12]_", "[A-Za-z0-9+/=_]{60,250}"),
    ("dt0[cs][0-9]{2}[.]", "[A-Z0-9]{8,24}[.][A-Z0-9]{64}"),  # Dynatrace
    ("bk[ua]a_", "[0-9a-f]{40}"),  # Buildkite
    ("CFPAT-", r"[\w-]{43}"),  # Contentful
    ("EZ[AT]K", "[A-Za-z0-9]{54}"),  # EasyPost
    ("AKCp[0-9]", "[A-Za-z0-9]{60,90}"),  # Artifactory
    ("sig=", "[A-Za-z0-9%+/]{43,64}(?:%3[Dd]|=)"),  # Azure shared access signatures
    ("dp[.](?:pt|st|ct|sa)[.]", "[A-Za-z0-9._-]{40,60}"),  # Doppler
    ("ops_eyJ", "[A-Za-z0-9+/=]{100,255}"),  # 1Password
    ("AGE-SECRET-KEY-1", "[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    ("LTAI", "[A-Za-z0-9]{12,20}"),  # Alibaba
    ("AKID", "[A-Za-z0-9]{32}"),  # Tencent
    ("rnd_", "[A-Za-z0-9]{32}"),  # Render
    ("cog_|apify_api_", "[A-Za-z0-9]{32,64}"),
    ("AccountKey=", "[A-Za-z0-9+/]{86}=="),  # Azure Storage
    ("SharedAccessKey=", "[A-Za-z0-9+/]{43}="),  # Azure Service Bus, Event Hubs
    (r"[\w~.-]{3}\dQ~", r"[\w~.-]{31,36}"),  # Azure client secrets
    ("[A-Za-z0-9]{52}JQQJ99[A-Z]", "[A-Za-z0-9]{9,26}"),  # Azure AI services
)


# What is telling of keys that begin with nothing that is.
_TELLING: Final = {
    "[MNO][A-Za-z0-9]{23,25}": r"\.[\w-]{6}\.[\w-]{27}",
    "[0-9a-f]{32}-us": "[0-9a-f]-us[0-9]",
    "[A-Za-z0-9]{14}[.]atlasv1[.]": "[.]atlasv1[.]",
    "[A-Za-z0-9]{52}JQQJ99[A-Z]": "JQQJ99",
    r"[\w~.-]{3}\dQ~": r"\dQ~",
}


def _shape(start: str, rest: str) -> Detector:
    ascii_only = rest.replace(r"[\w", "[A-Za-z0-9_").replace(r"\w", "[A-Za-z0-9_]")
    begin = start.replace(r"[\w", "[A-Za-z0-9_")
    least = re.sub(r"\{(\d+),\d+\}\Z", r"{\1}", ascii_only)  # the gate need not see where a key ends
    return Detector(
        entity="API_KEY",
        form=f"begins {start}",
        pattern=f"{_LEFT}(?:{begin}){ascii_only}",
        gate=_TELLING.get(start, f"(?:{begin}){least}"),
        shape=f"(?:{begin}){least}",
        priority=7,
    )


_VALUE: Final = r"(?<![\w+/.~-])[A-Za-z0-9_+/=.~-]{16,250}(?![\w+/=~-])"
_VALUE_SHAPE: Final = r"(?:^|[^\w+/.~-])[\w+/=.~-]{16}"
_QUOTE: Final = r"(?<=\b(?:key|token|secret) (?:to|is|as|was) [\"'`]?|[:=>(\[]\s{0,2}[\"'`]?|\bis:? |\bkey |\btoken |\bsecret |[Bb]earer |(?:KEY|TOKEN|SECRET|ApiKey|Token) )"
_KEY_WORDS: Final = (
    r"(?:x[ _-]?)?api[ _.-]?(?:keys?|tokens?|secrets?)|apikeys?|secret[ _-]?(?:access[ _-]?)?keys?|client[ _-]?secrets?|"
    r"(?:access|auth|bearer|refresh|session|bot|deploy|private|personal[ _-]?access|service)[ _-]?tokens?|"
    r"(?:access|account|app|private|signing|encryption|master|shared|subscription|consumer|storage|instrumentation|admin|service|team|project|org|application|write|ingest)[ _-]?keys?|"
    r"(?:app|signing|webhook|shared|consumer|jwt|app)[ _-]?secrets?|authorization|bearer|"
    r"(?:openai|anthropic|azure|aws|google|gemini|mistral|cohere|groq|deepseek|heroku|cloudflare|vercel|together|"
    r"pinecone|datadog|twilio|stripe|sendgrid|mailgun|algolia|fastly|okta|auth0|dropbox|asana|jira|circleci|"
    r"travis|netlify|newrelic|pagerduty|rollbar|segment|zendesk|hubspot|intercom|mapbox|codecov|sonar)"
    r"[ _-]?(?:api[ _-]?)?(?:keys?|tokens?|secrets?|auth)"
)

# `sk-` alone is also how class names begin, so what follows must look random.
_PLAIN_SK: Final = Detector(
    entity="API_KEY",
    form="begins sk-",
    pattern=_LEFT + r"sk-[A-Za-z0-9_-]{20,250}",
    gate=r"\bsk-[A-Za-z0-9_-]{20}",
    validate=random_looking,
    validator="random_looking",
    priority=6,
)
_AWS_SECRET: Final = Detector(
    entity="API_KEY",
    form="AWS secret access key",
    pattern=r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])",
    gate=r"\d",
    shape=r"(?:^|[^A-Za-z0-9+/])[A-Za-z0-9+/]{40}",
    lead=1,
    context=r"aws.?secret(?:.?access)?(?:.?key)?|secret.?access.?key|aws.?secret.?key",
    priority=6,
)
_ASSIGNED: Final = Detector(
    entity="API_KEY",
    form="assigned to a name that says so",
    pattern=_QUOTE + _VALUE,
    gate=r"\d",
    shape=_VALUE_SHAPE,
    lead=1,
    validate=high_entropy,
    validator="high_entropy",
    context=_KEY_WORDS,
    against=r"expire[sd]?|count|limit|usage|url|uri|endpoint|path|file|names?|types?|public|publishable|ids?|hash",
    within=40,
    priority=4,
)
_UUID_KEY: Final = Detector(
    entity="API_KEY",
    form="Heroku, as UUID",
    pattern=r"(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?!\w)(?!-\w)",
    gate=r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    context=r"heroku(?:[ _-]?api)?(?:[ _-]?(?:key|token))?|api[ _-]?keys?|auth[ _-]?tokens?|subscription[ _-]?key",
    against=r"ids?|request|trace",
    within=32,
    priority=7,
)

API_KEYS: Final = (*(_shape(start, rest) for start, rest in _SHAPES), _PLAIN_SK, _AWS_SECRET, _ASSIGNED, _UUID_KEY)
