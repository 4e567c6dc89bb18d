"""Values of people for the corpus, each valid by its own rules; made up, from a seed."""

import base64
import hashlib
import json
import random
import string
from collections.abc import Callable
from typing import Final

from faker import Faker
from stdnum import luhn, verhoeff
from stdnum.au import abn, tfn
from stdnum.br import cpf
from stdnum.es import dni

LOCALES: Final = (
    "en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pt_BR", "pl_PL", "en_AU", "en_CA", "en_IN", "sv_SE",
    "ja_JP", "de_CH",
)  # fmt: skip
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_NINO_FIRST: Final = "ABCEGHJKLMNOPRSTWXYZ"
_MBI: Final = "ACDEFGHJKMNPQRTUVWXY"
_ALNUM: Final = string.ascii_letters + string.digits


class Values:
    """A source of values; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a corpus, not a secret
        self.fakers = {locale: Faker(locale) for locale in LOCALES}
        for number, faker in enumerate(self.fakers.values()):
            faker.seed_instance(seed * 100 + number)

    @property
    def english(self) -> Faker:
        """The American one."""
        return self.fakers["en_US"]

    def any_locale(self) -> Faker:
        """One of the locales."""
        return self.fakers[self.random.choice(LOCALES)]

    def digits(self, count: int) -> str:
        """So many digits."""
        return "".join(self.random.choices(string.digits, k=count))

    def token(self, count: int, alphabet: str = _ALNUM) -> str:
        """So many characters."""
        return "".join(self.random.choices(alphabet, k=count))

    def shape(self, pattern: str) -> str:
        """Fill # with digits, ? with capitals."""
        return "".join(
            self.random.choice(string.digits)
            if char == "#"
            else self.random.choice(string.ascii_uppercase)
            if char == "?"
            else char
            for char in pattern
        )

    def make(self, entity: str) -> str:
        """Give a value of an entity."""
        return MAKERS[entity](self)


def _phone(v: Values) -> str:
    kind = v.random.random()
    if kind < 0.3:  # noqa: PLR2004 - a share
        return v.any_locale().phone_number()
    if kind < 0.6:  # noqa: PLR2004
        return v.shape(
            v.random.choice(
                ("(###)###-####", "###-###-####", "###.###.####", "###-###-####x###", "(###)###-####x####", "+1-###-###-####",
                 "001-###-###-####", "+1-###-###-####x###", "(###) ###-####", "+447700 ### ###", "07700 ### ###",
                 "+41 2# ### ## ##", "+46 (0)8 ### ### ##", "+91##########", "###.###.####x####")
            )
        )  # fmt: skip
    area, exchange = v.random.randint(201, 989), v.random.randint(200, 999)
    return v.random.choice(
        (f"({area}) {exchange}-{v.digits(4)}", f"{area}-{exchange}-{v.digits(4)}", f"+1 {area} {exchange} {v.digits(4)}",
         f"+1{area}{exchange}{v.digits(4)}", f"{area}.{exchange}.{v.digits(4)}", f"1-{area}-{exchange}-{v.digits(4)}",
         f"+44 20 7{v.digits(3)} {v.digits(4)}", f"+49 30 {v.digits(7)}", f"+33 6 {v.digits(2)} {v.digits(2)} {v.digits(2)} {v.digits(2)}",
         f"020 7{v.digits(3)} {v.digits(4)}", f"0161 496 0{v.digits(3)}", f"+61 4{v.digits(2)} {v.digits(3)} {v.digits(3)}",
         f"({area}) {exchange}-{v.digits(4)} ext. {v.digits(3)}")
    )  # fmt: skip


def _card(v: Values) -> str:
    number: str = v.english.credit_card_number()
    style = v.random.random()
    if len(number) == 16 and style < 0.5:  # noqa: PLR2004
        mark = v.random.choice(" -")
        return mark.join(number[at : at + 4] for at in range(0, 16, 4))
    return number


def _iban(v: Values) -> str:
    number: str = v.any_locale().iban() if v.random.random() < 0.8 else v.fakers["en_GB"].iban()  # noqa: PLR2004
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4)) if v.random.random() < 0.4 else number  # noqa: PLR2004


def _base58check(v: Values) -> str:
    payload = bytes([v.random.choice((0, 5))]) + v.random.randbytes(20)
    data = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(data), ""
    while number:
        number, rest = divmod(number, 58)
        text = _BASE58[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


def _bech32(v: Values) -> str:
    version = v.random.choice((0, 1))
    size = 52 if version else 32
    data = [version, *(v.random.randrange(32) for _ in range(size - 1)), v.random.choice((0, 16))]
    human = [3, 3, 0, 2, 3]
    rest = _polymod([*human, *data, 0, 0, 0, 0, 0, 0]) ^ (0x2BC830A3 if version else 1)
    data += [rest >> 5 * (5 - n) & 31 for n in range(6)]
    return "bc1" + "".join(_BECH32[value] for value in data)


def _crypto(v: Values) -> str:
    return v.random.choice((_base58check, _bech32, lambda v: "0x" + v.token(40, "0123456789abcdef")))(v)


def _itin(v: Values) -> str:
    return (
        f"9{v.digits(2)}-{v.random.choice((*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)))}-{v.digits(4)}"
    )


def _mbi(v: Values) -> str:
    code = (
        v.random.choice("123456789") + v.token(1, _MBI) + v.token(1, _MBI + string.digits) + v.digits(1)
        + v.token(1, _MBI) + v.token(1, _MBI + string.digits) + v.digits(1) + v.token(2, _MBI) + v.digits(2)
    )  # fmt: skip
    return f"{code[:4]}-{code[4:7]}-{code[7:]}" if v.random.random() < 0.5 else code  # noqa: PLR2004


def _nhs(v: Values) -> str:
    while True:
        body = v.digits(9)
        check = 11 - sum(int(digit) * weight for digit, weight in zip(body, range(10, 1, -1), strict=True)) % 11
        if check != 10:  # noqa: PLR2004 - never issued
            number = body + str(check % 11)
            return f"{number[:3]} {number[3:6]} {number[6:]}"


def _nino(v: Values) -> str:
    while True:
        prefix = v.token(1, "ABCEGHJKLMNPRSTWXYZ") + v.token(1, "ABCEGHJKLMNPRSTWXYZ")
        if prefix not in {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"}:
            break
    body, last = v.digits(6), v.token(1, "ABCD")
    return v.random.choice((f"{prefix}{body}{last}", f"{prefix} {body[:2]} {body[2:4]} {body[4:]} {last}"))


def _dea(v: Values) -> str:
    body = [v.random.randrange(10) for _ in range(6)]
    check = (body[0] + body[2] + body[4] + 2 * (body[1] + body[3] + body[5])) % 10
    return v.token(1, "ABFGMPR") + v.token(1, string.ascii_uppercase) + "".join(map(str, body)) + str(check)


def _nif(v: Values) -> str:
    number = v.digits(8)
    return number + dni.calc_check_digit(number)


def _nie(v: Values) -> str:
    first, number = v.random.choice("XYZ"), v.digits(7)
    return first + number + dni.calc_check_digit(str("XYZ".index(first)) + number)


def _aadhaar(v: Values) -> str:
    while True:
        body = v.random.choice("23456789") + v.digits(10)
        number = body + verhoeff.calc_check_digit(body)
        if number != number[::-1]:
            return f"{number[:4]} {number[4:8]} {number[8:]}"


def _nric(v: Values) -> str:
    series, body = v.random.choice("STFG"), v.digits(7)
    total = sum(int(digit) * weight for digit, weight in zip(body, (2, 7, 6, 5, 4, 3, 2), strict=True))
    rest = (total + (4 if series in "TG" else 0)) % 11
    return series + body + ("JZIHGFEDCBA" if series in "ST" else "XWUTRQPNMLK")[rest]


def _cpf(v: Values) -> str:
    body = v.digits(9)
    number = body + cpf._calc_check_digits(body)  # noqa: SLF001 - the library has no other way to make one
    return cpf.format(number)


def _jwt(v: Values) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    header = json.dumps({"alg": v.random.choice(("HS256", "RS256", "ES256")), "typ": "JWT"}).encode()
    payload = json.dumps({"sub": v.digits(10), "name": v.english.first_name(), "iat": 1718000000}).encode()
    return f"{part(header)}.{part(payload)}.{part(v.random.randbytes(32))}"


def _private_key(v: Values) -> str:
    kind = v.random.choice(("RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED "))
    body = base64.b64encode(v.random.randbytes(v.random.choice((120, 600)))).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


_KEYS: Final[tuple[Callable[[Values], str], ...]] = (
    lambda v: f"sk-proj-{v.token(48)}",
    lambda v: f"sk-{v.token(48)}",
    lambda v: f"sk-ant-api03-{v.token(90, _ALNUM + '-_')}AA",
    lambda v: f"AIza{v.token(35, _ALNUM + '-_')}",
    lambda v: f"AKIA{v.token(16, string.ascii_uppercase + '234567')}",
    lambda v: f"ghp_{v.token(36)}",
    lambda v: f"github_pat_{v.token(22)}_{v.token(59)}",
    lambda v: f"glpat-{v.token(20)}",
    lambda v: f"xoxb-{v.digits(12)}-{v.digits(12)}-{v.token(24)}",
    lambda v: f"sk_live_{v.token(24)}",
    lambda v: f"SG.{v.token(22)}.{v.token(43)}",
    lambda v: f"hf_{v.token(34)}",
    lambda v: f"gsk_{v.token(52)}",
    lambda v: f"xai-{v.token(80)}",
    lambda v: f"dapi{v.token(32, '0123456789abcdef')}",
    lambda v: f"dop_v1_{v.token(64, '0123456789abcdef')}",
    lambda v: f"npm_{v.token(36)}",
    lambda v: f"shpat_{v.token(32, '0123456789abcdef')}",
    lambda v: f"{v.digits(9)}:AA{v.token(33, _ALNUM + '-_')}",
    lambda v: f"SK{v.token(32, '0123456789abcdef')}",
    lambda v: f"key-{v.token(32, '0123456789abcdef')}",
    lambda v: f"hvs.{v.token(24)}",
)


def _ip(v: Values) -> str:
    return str(v.english.ipv6() if v.random.random() < 0.3 else v.english.ipv4())  # noqa: PLR2004


def _mac(v: Values) -> str:
    address: str = v.english.mac_address()
    return v.random.choice((address, address.upper(), address.replace(":", "-")))


def _aba(v: Values) -> str:
    body = v.random.choice(("01", "02", "06", "11", "12", "31", "32")) + v.digits(6)
    total = sum(int(digit) * weight for digit, weight in zip(body, (3, 7, 1, 3, 7, 1, 3, 7), strict=True))
    return body + str(-total % 10)


def _abn(v: Values) -> str:
    body = v.digits(9)
    number = abn.calc_check_digits(body) + body
    return abn.format(number) if v.random.random() < 0.5 else number  # noqa: PLR2004


def _acn(v: Values) -> str:
    body = v.digits(8)
    total = sum(int(digit) * weight for digit, weight in zip(body, range(8, 0, -1), strict=True))
    return body + str(-total % 10)


def _tfn(v: Values) -> str:
    while True:
        number = v.digits(9)
        if tfn.is_valid(number):
            return f"{number[:3]} {number[3:6]} {number[6:]}" if v.random.random() < 0.5 else number  # noqa: PLR2004


def _medicare(v: Values) -> str:
    body = v.random.choice("23456") + v.digits(7)
    check = sum(int(digit) * weight for digit, weight in zip(body, (1, 3, 7, 9, 1, 3, 7, 9), strict=True)) % 10
    return f"{body[:4]} {body[4:]}{check} {v.random.randint(1, 9)}"


def _sin(v: Values) -> str:
    body = v.random.choice("12345679") + v.digits(7)
    number = body + luhn.calc_check_digit(body)
    return f"{number[:3]} {number[3:6]} {number[6:]}" if v.random.random() < 0.5 else number  # noqa: PLR2004


def _npi(v: Values) -> str:
    body = v.random.choice("12") + v.digits(8)
    return body + luhn.calc_check_digit("80840" + body)


def _german_tax_id(v: Values) -> str:
    while True:
        digits = v.random.sample(string.digits, 9)
        digits.insert(v.random.randrange(10), v.random.choice(digits))
        if digits[0] == "0" or any(a == b == c for a, b, c in zip(digits, digits[1:], digits[2:], strict=False)):
            continue
        product = 10
        for digit in digits:
            total = (int(digit) + product) % 10 or 10
            product = total * 2 % 11
        return "".join(digits) + str((11 - product) % 10)


def _birth(v: Values) -> str:
    born = v.english.date_of_birth(minimum_age=18, maximum_age=90)
    return born.strftime(
        v.random.choice(("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%B %d, %Y", "%d %B %Y", "%b %d, %Y"))
    )


MAKERS: Final[dict[str, Callable[[Values], str]]] = {
    "EMAIL_ADDRESS": lambda v: v.any_locale().email() if v.random.random() < 0.7 else v.english.company_email(),  # noqa: PLR2004
    "PHONE_NUMBER": _phone,
    "CREDIT_CARD": _card,
    "IBAN_CODE": _iban,
    "IP_ADDRESS": _ip,
    "MAC_ADDRESS": _mac,
    "CRYPTO": _crypto,
    "URL_CREDENTIALS": lambda v: f"{v.english.user_name()}:{v.token(14)}",
    "US_SSN": lambda v: v.english.ssn(),
    "US_ITIN": _itin,
    "US_MBI": _mbi,
    "UK_NHS": _nhs,
    "UK_NINO": _nino,
    "MEDICAL_LICENSE": _dea,
    "ES_NIF": _nif,
    "ES_NIE": _nie,
    "IT_FISCAL_CODE": lambda v: v.fakers["it_IT"].ssn(),
    "IN_PAN": lambda v: v.token(3, string.ascii_uppercase) + v.token(1, "ABCFGHJLPT") + v.shape("?####?"),
    "IN_AADHAAR": _aadhaar,
    "SG_NRIC_FIN": _nric,
    "BR_CPF": _cpf,
    "API_KEY": lambda v: v.random.choice(_KEYS)(v),
    "JWT": _jwt,
    "PRIVATE_KEY": _private_key,
    "US_PASSPORT": lambda v: v.shape(v.random.choice(("#########", "?########"))),
    "UK_PASSPORT": lambda v: v.digits(9),
    "IN_PASSPORT": lambda v: v.token(1, "ABCDEFGHJKLMNPRSTUVWY") + v.shape("#######"),
    "ES_PASSPORT": lambda v: v.shape("???######"),
    "US_BANK_NUMBER": lambda v: v.digits(v.random.randint(9, 14)),
    "US_DRIVER_LICENSE": lambda v: v.shape(
        v.random.choice(("?#######", "########", "?############", "#########", "??######"))
    ),
    "ABA_ROUTING_NUMBER": _aba,
    "AU_ABN": _abn,
    "AU_ACN": _acn,
    "AU_TFN": _tfn,
    "AU_MEDICARE": _medicare,
    "CA_SIN": _sin,
    "DE_TAX_ID": _german_tax_id,
    "PL_PESEL": lambda v: v.fakers["pl_PL"].pesel(),
    "DATE_OF_BIRTH": _birth,
    "US_NPI": _npi,
}
