"""Texts without a person in them that look as if: logs, code, ids, versions, prices, places, times."""

import hashlib
import random
import string
import uuid
from collections.abc import Callable
from typing import Final

from stdnum import ean, isbn

_HEX: Final = "0123456789abcdef"


class Things:
    """A source of things that are nobody's; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a corpus, not a secret

    def fill(self, template: str) -> str:
        """Fill # with digits, ^ with hexadecimal digits, ? with capitals, and «name» with what NAMED makes."""
        pieces = [NAMED[piece](self) if odd else self._shape(piece) for odd, piece in _split(template)]
        return "".join(pieces)

    def _shape(self, piece: str) -> str:
        alphabets = {"#": string.digits, "^": _HEX, "?": string.ascii_uppercase}
        return "".join(self.random.choice(alphabets[char]) if char in alphabets else char for char in piece)

    def token(self, alphabet: str, count: int) -> str:
        """So many characters."""
        return "".join(self.random.choices(alphabet, k=count))


def _split(template: str) -> list[tuple[bool, str]]:
    """Take a template apart: what stands as it is, and (True) names between « and »."""
    pieces: list[tuple[bool, str]] = []
    for number, part in enumerate(template.split("«")):
        name, mark, rest = part.partition("»")
        pieces += [(True, name), (False, rest)] if number and mark else [(False, part)]
    return pieces


def _isbn13(t: Things) -> str:
    body = "978" + t.token(string.digits, 9)
    return str(isbn.format(body + ean.calc_check_digit(body)))


NAMED: Final[dict[str, Callable[[Things], str]]] = {
    "uuid": lambda t: str(uuid.UUID(int=t.random.getrandbits(128), version=4)),
    "sha1": lambda t: hashlib.sha1(t.random.randbytes(8), usedforsecurity=False).hexdigest(),
    "sha256": lambda t: hashlib.sha256(t.random.randbytes(8)).hexdigest(),
    "md5": lambda t: hashlib.md5(t.random.randbytes(8), usedforsecurity=False).hexdigest(),
    "epoch": lambda t: str(t.random.randint(1_600_000_000, 1_790_000_000)),
    "ms": lambda t: str(t.random.randint(1_600_000_000_000, 1_790_000_000_000)),
    "ns": lambda t: str(t.random.randint(1_600_000_000_000_000_000, 1_790_000_000_000_000_000)),
    "float": lambda t: repr(t.random.uniform(-180, 180)),
    "unit": lambda t: repr(t.random.uniform(-1, 1)),
    "price": lambda t: f"{t.random.uniform(1, 9999):,.2f}",
    "semver": lambda t: f"{t.random.randint(0, 40)}.{t.random.randint(0, 30)}.{t.random.randint(0, 99)}",
    "time": lambda t: f"{t.random.randint(0, 23):02}:{t.random.randint(0, 59):02}:{t.random.randint(0, 59):02}",
    "date": lambda t: f"{t.random.randint(2019, 2026)}-{t.random.randint(1, 12):02}-{t.random.randint(1, 28):02}",
    "isbn": _isbn13,
    "isbnplain": lambda t: _isbn13(t).replace("-", ""),
    "ean": lambda t: (body := "40" + t.token(string.digits, 10)) + ean.calc_check_digit(body),
    "b64": lambda t: t.token(string.ascii_letters + string.digits + "+/", 88),
    "int": lambda t: str(t.random.randint(1, 99999)),
    "small": lambda t: str(t.random.randint(0, 255)),
    "id20": lambda t: t.token(string.ascii_letters + string.digits, 20),
    "word": lambda t: t.random.choice(("cache", "worker", "api", "billing", "search", "auth", "index", "queue")),
}

STEERING: Final = (
    "commit «sha1»\nDate:   Mon «date» «time» +0200\n\n    Fix off-by-one in «word» (#«int»)",
    "«sha1» Merge branch 'release/«semver»' into main",
    "[«date»T«time».###Z] INFO «word» request «uuid» took ##.# ms",
    'level=info ts=«epoch».####### caller=«word».go:### msg="compaction done" id=«uuid»',
    'GET /v1/«word»/«uuid»?page=## HTTP/1.1" 200 #### "-" "Mozilla/5.0 (X11; Linux x86_64) Chrome/1##.0.####.###"',
    'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: «word»\n  uid: «uuid»\n  resourceVersion: "########"\nspec:\n  replicas: 3',
    "requests==«semver» --hash=sha256:«sha256»",
    "numpy «semver» requires Python >=3.1#, but you have 3.9.##",
    'Traceback (most recent call last):\n  File "/app/«word».py", line ###, in run\n    raise ValueError(0x^^^^^^^^)\nValueError: «int»',
    "at com.example.«word».Handler.run(Handler.java:###)\nat java.base/java.lang.Thread.run(Thread.java:####)",
    "SELECT id, total FROM orders WHERE id IN (######, #######, ########) AND created_at > '«date» «time»';",
    "sku,price,qty\nAB-#####,«price»,##\nCD-#####,«price»,#",
    "lat «float», lon «float»",
    "GPS 4#.#######, -12#.####### accuracy #.# m",
    "CAS ####-##-#, purity 99.#%",
    "ISBN «isbn», paperback",
    "EAN «ean» in stock",
    "Tracking 1Z???###########, expected «date»",
    "Invoice INV-20##-###### total «price» EUR",
    "Order ###-#######-####### shipped",
    "Your order number is ##########.",
    "version «semver» (build ##########)",
    "started at «epoch», ended at «epoch»",
    '{"created": «ms», "updated": «ms», "id": ########}',
    "blob «b64»==",
    "color: #^^^^^^; background: #^^^^^^;",
    "md5 «md5»  «word».tar.gz",
    "sha256:«sha256»",
    "https://orcid.org/0000-000#-####-###X",
    "doi:10.####/s#####-###-#####-#",
    "arXiv:2###.##### [cs.CL]",
    "NASDAQ: ???? closed at «price», volume ##,###,###",
    "Flight LH#### departs «time» from gate A##",
    "-rw-r--r-- 1 root root ######## Nov 24 13:## «word».log",
    "x = ###.### * ### + ####; y = (####-###)/##",
    "[«unit», «unit», «unit», «unit», «unit»]",
    "chatcmpl-«id20» system_fingerprint fp_^^^^^^^^^^",
    "call_«id20» toolu_«id20» msg_«id20»",
    "std::vector<int> a::b::c; dead::beef; Face::Add(0x^^)",
    "segfault at 0 ip 0000^^^^^^^^^^^^ sp 0000^^^^^^^^^^^^ error 4",
    "the meeting is from 10:30 to 11:45 in room ###",
    "Section 1.2.3.4 of the manual, figure 12.3.1.2",
    "driver version ##.##.#.#### installed, firmware 1.2.3.4",
    "const TIMEOUT = #######; // «int» retries",
    "arn:aws:iam::############:role/«word»",
    "projects/##########/locations/us/keys/«word»",
    "task-management-and-scheduling-tools, sk-loading-spinner-container-large",
    "total: «price» subtotal: «price» tax: ##.##",
    "Article 12(3), page ###, volume ##, issue 4",
    'ETag: "^^^^^^^^-^^^^" X-Request-Id: ^^^^^^^^^^^^^^^^',
    "image registry.example.com/«word»:«semver»@sha256:«sha256»",
    "icon@2x.png lodash@«semver» @types/node@2#.#.#",
    "ssh git@github.com:org/«word».git",
    "The lot number is ??######, expiry 20##-1#",
    "Serial 5CG#######, model ??-####, part ###-#####-###",
    "PO 45########, vendor ######",
    "IMO 9######, MMSI ######### vessel",
    "patent US##,###,### B2 and EP#######",
    "temperature -#.## °C, pressure 10##.# hPa, humidity ##%",
    "The population grew from #,###,### to #,###,### between 19## and 20##.",
)

HELD_OUT: Final = (
    "^^^^^^^ (HEAD -> main, origin/main) bump «word» from «semver» to «semver»",
    "diff --git a/«word».py b/«word».py\nindex ^^^^^^^..^^^^^^^ 100644\n@@ -###,# +###,# @@",
    "«date» «time»,### WARN  [pool-#-thread-##] c.e.«word».Pool - ###### idle connections closed",
    "Nov 24 «time» host kernel: [######.######] «word»[#####]: out of memory",
    'time="«date»T«time»Z" level=error msg="sync failed" revision=«sha1» attempt=#',
    "  - name: «word»\n    image: «word»:«semver»\n    ports:\n      - containerPort: 8###\n    resources: {limits: {memory: ###Mi}}",
    "pip install torch==«semver»+cu1## --extra-index-url",
    '"integrity": "sha512-«b64»==",',
    "goroutine ## [running]:\nmain.main()\n\t/src/«word».go:### +0x^^^",
    "INSERT INTO prices VALUES (#####, «price», '«date»'), (#####, «price», '«date»');",
    "id;amount;currency\n########;«price»;USD\n########;«price»;GBP",
    "bbox=1#.######,5#.#######,1#.#######,5#.#######",
    "POINT(«float» «float»)",
    "ISBN-13: «isbnplain» ISBN-10: 0-###-#####-#",
    "UPC ############, GTIN 0#############",
    "parcel JD##################, courier reference ##########",
    "Quote Q-####-####, PO-####-#####, ticket #######",
    "reference number ####-####-####",
    "case no. 20##-CV-#####",
    "release 20##.##.##.#, build #####",
    "expires_in: 3600, expires_at: «epoch», nonce: ##########",
    "duration_ms=«int» bytes=########## rows=#######",
    "offset ########## length ####### crc32 ^^^^^^^^",
    "data:image/png;base64,iVBORw0KGgo«b64»«b64»",
    "--primary: #^^^^^^; rgba(«small», «small», «small», 0.#)",
    "uuid «uuid» parent «uuid»",
    "trace_id=^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ span_id=^^^^^^^^^^^^^^^^",
    "ORCID 0000-000#-####-####",
    "https://doi.org/10.####/j.«word».20##.######",
    "PMID: ########; PMCID: PMC#######",
    "ISIN US##########, CUSIP #########, closing price «price»",
    "Train ICE #### at «time», seat ##, coach #",
    "drwxr-xr-x  2 4096 «date» «time» «word»-«semver»",
    "f(x) = ###x^2 - ##x + ####, x in [-##.#, ##.#]",
    "weights: «unit» «unit» «unit» bias: «unit»",
    "run-«id20» job_«id20» batch_«id20»",
    "using namespace std; boost::asio::ip::tcp::v4(); a::f00",
    "rax=^^^^^^^^^^^^^^^^ rbx=^^^^^^^^^^^^^^^^ rip=^^^^^^^^^^^^^^^^",
    "Score 102-98 after 48:00, attendance ##,###",
    "chapter 4.2.1.3 and appendix A.1.2.3",
    "Chrome/1##.0.####.### Safari/537.36 Edg/1##.0.####.##",
    "MAX_SIZE = ########## # bytes, about «int» pages",
    "subscription /subscriptions/«uuid»/resourceGroups/«word»",
    "table «word»_20##_##_## has ######### rows",
    "zip codes 9#### and 1#### are served on Mondays",
    "HTTP 200 in 0.####s, 5##### requests, p99 ##.##ms",
    "The bill passed ### to ### on 4 July 19##.",
    "mp3 320kbps 44100Hz, 03:4#, track #/##",
    'Resolution 3840x2160 at 60 Hz, 27", 5##.## USD',
    "VIN 1HGCM82633A######, odometer ######",
    "HS code 8471.30.0100, net weight ##.### kg",
    "model gpt-4o-2024-08-06 used ##### prompt tokens and #### completion tokens",
    "snapshot snap-0^^^^^^^^^^^^^^^^ volume vol-0^^^^^^^^^^^^^^^^ ami-0^^^^^^^^^^^^^^^^",
    "unix time «ns» ns, tick ###########",
    "regex \\d{3}-\\d{2}-\\d{4} matches nothing here",
    "checksum ########## does not match ##########",
    "lottery numbers 04 11 23 35 42 07",
    "sample #1: 12 34 56 78 90, sample #2: 11 22 33 44 55",
    "phone model SM-G998B, android 14, battery ####mAh",
    "call stack size exceeded at frame ######",
)
