import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.dialects import dialect_of
from gatekeeper.dialects.route import route_of
from gatekeeper.exchange import DialectName

OPENAI, ANTHROPIC, GEMINI, HTTP = DialectName.OPENAI, DialectName.ANTHROPIC, DialectName.GEMINI, DialectName.HTTP


@pytest.mark.parametrize(
    ("host", "path", "dialect", "operation"),
    [
        ("api.openai.com", "/v1/chat/completions", OPENAI, "chat"),
        ("api.openai.com", "/v1/chat/completions/", OPENAI, "chat"),
        ("localhost", "/v1/chat/completions", OPENAI, "chat"),
        ("api.groq.com", "/openai/v1/chat/completions", OPENAI, "chat"),
        ("api.perplexity.ai", "/chat/completions", OPENAI, "chat"),
        ("generativelanguage.googleapis.com", "/v1beta/openai/chat/completions", OPENAI, "chat"),
        ("localhost", "/v1/responses", OPENAI, "chat"),
        ("localhost", "/v1/embeddings", OPENAI, "embeddings"),
        ("localhost", "/v1/completions", OPENAI, "text_completion"),
        ("acme.openai.azure.com", "/openai/deployments/gpt/chat/completions", OPENAI, "chat"),
        ("acme.openai.azure.com", "/openai/deployments/ada/embeddings", OPENAI, "embeddings"),
        ("api.deepseek.com", "/embeddings", OPENAI, "embeddings"),
        ("api.openai.com", "/v1/models", OPENAI, ""),
        ("localhost", "/v1/models", HTTP, ""),
        ("forms.example.com", "/forms/7/responses", HTTP, ""),
        ("api.anthropic.com", "/v1/messages", ANTHROPIC, "chat"),
        ("localhost", "/v1/messages", ANTHROPIC, "chat"),
        ("api.deepseek.com", "/anthropic/v1/messages", ANTHROPIC, "chat"),
        ("api.anthropic.com", "/v1/messages/batches", ANTHROPIC, ""),
        ("mail.example.com", "/inbox/messages", HTTP, ""),
        ("localhost", "/v1beta/models/gemini-2.5-flash:generateContent", GEMINI, "generate_content"),
        ("localhost", "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent", GEMINI,
         "generate_content"),
        ("localhost", "/v1beta/models/embed:batchEmbedContents", GEMINI, "embeddings"),
        ("localhost", "/v1beta/tunedModels/mine:generateContent", GEMINI, "generate_content"),
        ("localhost", "/v1beta/models/g:delete", HTTP, ""),
        ("localhost", "/things/g:generateContent", HTTP, ""),
        ("generativelanguage.googleapis.com", "/v1beta/files", GEMINI, ""),
        ("api.cohere.com", "/v2/chat", HTTP, ""),
        ("payments.example.com", "/v1/refunds", HTTP, ""),
        ("payments.example.com", "/", HTTP, ""),
        ("payments.example.com", "", HTTP, ""),
    ],
)  # fmt: skip
def test_the_shape_of_the_path_tells_the_dialect(host: str, path: str, dialect: DialectName, operation: str) -> None:
    assert dialect_of(host, path) is dialect
    assert route_of(host, path).operation == operation


@pytest.mark.parametrize(
    ("host", "path", "provider"),
    [
        ("api.openai.com", "/v1/chat/completions", "openai"),
        ("eu.api.openai.com", "/v1/chat/completions", "openai"),
        ("api.mistral.ai", "/v1/chat/completions", "mistral_ai"),
        ("acme.openai.azure.com", "/openai/deployments/gpt/chat/completions", "azure.ai.openai"),
        ("europe-west1-aiplatform.googleapis.com", "/v1/publishers/google/models/g:generateContent", "gcp.vertex_ai"),
        ("localhost", "/v1/messages", "anthropic"),
        ("localhost", "/v1beta/models/g:generateContent", "gcp.gemini"),
        ("api.cohere.com", "/v2/chat", "cohere"),
        ("payments.example.com", "/v1/refunds", ""),
    ],
)
def test_the_host_tells_the_provider_and_the_dialect_where_it_is_unknown(host: str, path: str, provider: str) -> None:
    assert route_of(host, path).provider == provider


def test_model_and_stream_are_read_from_the_path_where_they_stand_there() -> None:
    gemini = route_of("localhost", "/v1beta/models/gemini-2.5-flash:streamGenerateContent")
    assert (gemini.model, gemini.stream) == ("gemini-2.5-flash", True)
    assert not route_of("localhost", "/v1beta/models/gemini-2.5-flash:generateContent").stream
    assert route_of("x.openai.azure.com", "/openai/deployments/my-gpt/chat/completions").model == "my-gpt"


@given(st.text(), st.text())
def test_any_host_and_path_have_a_dialect(host: str, path: str) -> None:
    assert dialect_of(host, path) in DialectName
