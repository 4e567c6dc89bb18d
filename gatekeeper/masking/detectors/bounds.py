"""Where numbers and codes may begin and end, and the words that speak against what is merely a number."""

from typing import Final

DIGITS_START: Final = r"(?<![\w+])(?<!\d[.-])"
DIGITS_END: Final = r"(?!\w)(?!-\w)(?!\.\d)"
CODE_START: Final = r"(?<!\w)(?<!\w-)"
CODE_END: Final = r"(?!\w)(?!-\w)"

LINKING: Final = (
    r"numbers?|no|num|nr|at|on|in|is|are|was|were|be|me|us|him|her|them|my|his|its|their|our|your|the|an?|to|by|via|under|"
    r"with|and|or|of|for|from|please|now|today|again|directly|back|using|this|that|new|old|current|it|as|here|following|"
    r"ending|home|work|mobile|cell|office|phone|telephone|tel|fax|whatsapp|sms|text|personal|private|direct|main|alternate|primary|"
    r"secondary|values?|val|account|bank|checking|savings?|called|ext|ist|lautet|unter|der|die|das|auf|an|mich|uns|ihn|sie|bitte|und|oder|"
    r"nummer|est|le|la|les|au|à|sur|numéro|moi|nous|son|sa|mon|ma|ou|et|es|el|al|en|número|numero|mi|su|y|o|por|favor|"
    r"è|il|mio|suo|e|é|ao|meu|seu|to|numer|pod|na|op|het|de|del|do|da|du|n"
)
"""Words right before a number that lead to it from the word that says what it is."""

COUNTED: Final = (
    r"(?!.*\*_(?:.*_)?(?:mem|memory|counts?|counter|scores?|times?|timestamp|ts|at|start(?:ed)?|end(?:ed)?|duration|elapsed|"
    r"verified|updated|created|modified|deleted|seen|bytes|size|len|length|ms|ns|secs?|seconds|minutes|totals?|sum|avg|"
    r"rate|limit|quota|max|min|offset|index|idx|ids?|hash|version|balance|growth|followers|views|visits|hits|users|"
    r"price|cost|revenue|amount|width|height|buffer)(?:_.*)?\Z).*"
)
"""Names, as in `phone_*_count`, that go on with what makes them a count, a time or a size."""

NUMBERED_THINGS: Final = (
    r"ids?|uids?|guid|orders?|invoice|inv|ticket|tracking|shipment|parcel|serial|s/n|sku|isbn|issn|ean|upc|gtin|asin|"
    r"part|model|version|ver|build|release|revision|rev|commit|hash|sha\d{0,3}|md5|checksum|crc|"
    r"timestamp|epoch|unix|ts|offset|size|bytes|line|pid|tid|port|count|total|amount|price|qty|quantity|ref|reference|"
    r"case|po|rma|batch|lot|page|vol|volume|doi|arxiv|orcid|cas|lat|lon|lng|latitude|longitude|coordinates?|gps|block|"
    r"loto|keno|xxd|anydesk|teamviewer|ads account|factura|facture|fattura|rechnung(?:snummer)?|pedido|commande|bestell(?:ung|nummer)|auftrag|ordine|sendung|"
    r"imei|iccid|awb|lott(?:ery|o)|draws?|drawn|ndc|cpt|snomed|e-?tickets?|pnr|waybill|nonce|seq|sequence|isin|cusip|sedol|lei|barcode|confirmation|booking|flight|seat"
)
"""Words before numbers that are no person's."""
