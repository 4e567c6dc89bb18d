"""Where numbers and codes may begin and end, and the words that speak against what is merely a number."""

from typing import Final

DIGITS_START: Final = r"(?<![\w+])(?<!\d[.,-])"
DIGITS_END: Final = r"(?!\w)(?!-\w)(?!\.\d)"
CODE_START: Final = r"(?<!\w)(?<!\w-)"
CODE_END: Final = r"(?!\w)(?!-\w)"

NUMBERED_THINGS: Final = (
    r"ids?|uids?|guid|orders?|invoice|inv|ticket|tracking|shipment|parcel|serial|s/n|sku|isbn|issn|ean|upc|gtin|asin|"
    r"part|model|version|ver|build|release|revision|rev|commit|hash|sha\d{0,3}|md5|checksum|crc|"
    r"timestamp|epoch|unix|ts|offset|size|bytes|line|pid|tid|port|count|total|amount|price|qty|quantity|ref|reference|"
    r"case|po|rma|batch|lot|page|vol|volume|doi|arxiv|orcid|cas|lat|lon|lng|latitude|longitude|coordinates?|gps|block|"
    r"factura|facture|fattura|rechnung(?:snummer)?|pedido|commande|bestell(?:ung|nummer)|auftrag|ordine|sendung|"
    r"imei|iccid|lott(?:ery|o)|draws?|drawn|ndc|cpt|snomed|e-?tickets?|pnr|waybill|nonce|seq|sequence|isin|cusip|sedol|lei|barcode|confirmation|booking|flight|seat"
)
"""Words before numbers that are no person's."""
