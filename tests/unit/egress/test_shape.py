import pytest

from gatekeeper.config import Action, RuleConfig
from gatekeeper.egress.shape import DNS_HOSTS, ShapeError, Shapes

NONE = Shapes.of(())


def rule(**keys: object) -> RuleConfig:
    return RuleConfig(name="a", action=Action.ALLOW, **keys)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_standard_methods_are_taken(method: str) -> None:
    NONE.check(method, "api.example.com", "/v1", "", ())


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PRI", "get", "PROPFIND", ""])
def test_any_other_method_is_refused(method: str) -> None:
    with pytest.raises(ShapeError):
        NONE.check(method, "api.example.com", "/v1", "", ())


def test_a_rule_may_name_a_method_but_never_one_that_echoes() -> None:
    shapes = Shapes.of([rule(methods=("PROPFIND", "TRACE"))])
    shapes.check("PROPFIND", "api.example.com", "/v1", "", ())
    with pytest.raises(ShapeError):
        shapes.check("TRACE", "api.example.com", "/v1", "", ())


@pytest.mark.parametrize("host", sorted(DNS_HOSTS))
def test_a_known_resolver_is_refused_unless_a_rule_names_it(host: str) -> None:
    with pytest.raises(ShapeError) as refused:
        Shapes.of([rule(), rule(hosts=("*.com", "*.google"))]).check("GET", host, "/", "", ())
    assert refused.value.status == 403
    Shapes.of([rule(hosts=(host.upper() + ".",))]).check("GET", host, "/", "", ())


def test_what_is_expected_otherwise_is_refused() -> None:
    NONE.check("POST", "api.example.com", "/", "", (("Expect", "100-Continue"),))
    with pytest.raises(ShapeError) as refused:
        NONE.check("POST", "api.example.com", "/", "", (("Expect", "100-continue, x"),))
    assert refused.value.status == 417
