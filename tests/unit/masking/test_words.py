"""What the words left of a value say of it, and what only looks like a value."""

import pytest

from gatekeeper.masking import context, find_spans
from gatekeeper.masking.catalogue import DETECTORS
from gatekeeper.masking.scanner import LEFT

NOTHING = [
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/101.0.4783.35 Mobile Safari/537.36",
    "Mobile/15E148 Instagram 283.0.7.24.38 (iPhone14,5)",
    "maintenance_work_mem = 524288000",
    "total_work: 524288000, proof_of_work: 524288000",
    '{"homeId": 123456789, "home_score": 123456789, "cellId": 123456789}',
    "phoneCount=123456789",
    '{"phone_verified": true, "phone_verified_at": 1646797585}',
    '{"lastCallAt": 1646797585, "callStart": 1786092981422, "contactId": 123456789}',
    '{"boxOffice": 78371200}',
    "Fix use-after-free bugs in mvs_work_queue (CVE-2025-40001)",
    "Nippon Telegraph and Telephone Corporation 2002, 2017-2020 Oracle",
    "Contact form fixed. 0.20.1 (2019-06-03)",
    "Microsoft Office 16.0.97582.80830",
    "cell F443 contains 175520851",
    "Phone stand, item 6351836",
    "telefon Samsung SM-H456, kod 681380936",
    "the savings account product sold 78276490 units",
    '{"accountId": "511179504205", "accountBalance": 12345678}',
    "pkg:maven/org.springframework/spring-core@5.3.9.RELEASE and wildfly-common@1.7.0.Final",
    "abfss://raw@lake.dfs.core.windows.net/x, json_object_get@libjansson.so.4, po/ca@valencia.po",
    "ciphers aes256-gcm@openssh.com,chacha20-poly1305@openssh.com",
    "WWPN 50:06:01:60:3b:a0:11:22",
    'ObjectIdentifier("2.5.29.33")',
    "private_key: Ed25519PrivateKey = X25519PrivateKey",
    'secret_key = "useSecretKeyFromVault", api_key = "MyApplicationSecretKeyName"',
    "Add new upstream signing key 19882D92ABCDEF0123456789ABCDEF012345BE03",
    "Part number 219-55-2326, APN: 139-50-2027",
    "ADD COLUMN date_of_birth DATE DEFAULT '1900-01-01'",
    "AWB 020-45204522",
    "CA\t+4612-05957\tAmerica/Glace_Bay",
    "0000060 005324 015010 030270 123321 170474",
    "00000003  08 02 00 00 00 d9 4a 22",
    "795887277835 DESK 2.0 2.49 N\nDesk 12V;223;62,54\n9142669509065;Pump Set",
    "order number 4111111111111111, ticket id: 4111111111111111",
    "Please add it to booking INV897981, passport follows",
]

OTHERWISE = [
    ("DOB 12.03.1985, created 2026-08-27", "DATE_OF_BIRTH", "12.03.1985"),
    ("Passport H30548691 for order INV897981", "US_PASSPORT", "H30548691"),
    ('{"order": {"card": "4111111111111111"}}', "CREDIT_CARD", "4111111111111111"),
    ("Passport (UK): 312699437", "UK_PASSPORT", "312699437"),
    ("British citizen Gemma Heath holds passport no. 310426915.", "UK_PASSPORT", "310426915"),
    ("| SSN | none |\n| US passport number | 563446955 |", "US_PASSPORT", "563446955"),
    ("my passport number is L96618853", "US_PASSPORT", "L96618853"),
]

VALUES = [
    ("DATADOG_API_KEY=ef8e3ea7ee8d6f8b3fbf548e780888c4", "API_KEY", "ef8e3ea7ee8d6f8b3fbf548e780888c4"),
    ("GET /s?q=foo&api_key=GdF4y3AI1Ry7z1vAcray4nKWeyFpDIU8D&n=1", "API_KEY", "GdF4y3AI1Ry7z1vAcray4nKWeyFpDIU8D"),
    ("ENV API_KEY pOjMiHtPTuw2v4Ke94Eeip8+LSANd4C0", "API_KEY", "pOjMiHtPTuw2v4Ke94Eeip8+LSANd4C0"),
    (
        "https://acme.blob.core.windows.net/c/f.pdf?sp=r&sig=" + "aB3%2F" * 8 + "%3D",
        "API_KEY",
        "sig=" + "aB3%2F" * 8 + "%3D",
    ),
    ("I have lost my card (4111 - 1111 - 1111 - 1111).", "CREDIT_CARD", "4111 - 1111 - 1111 - 1111"),
    ("card_number=4111.1111.1111.1111", "CREDIT_CARD", "4111.1111.1111.1111"),
    ("my social is 671 55 4745", "US_SSN", "671 55 4745"),
    ("id,ip,user\n1,81.2.69.160,amy", "IP_ADDRESS", "81.2.69.160"),
    ("id,ssn,name\n1,536904399,Bob", "US_SSN", "536904399"),
    ("1,(415) 555-2671,bob", "PHONE_NUMBER", "(415) 555-2671"),
    ("3|Janet|WQEPF1993V|217.124.132.238", "IP_ADDRESS", "217.124.132.238"),
    ("Data urodzenia: 5 lipca 1937", "DATE_OF_BIRTH", "5 lipca 1937"),
    ("Nato a Reggio nell'Emilia (RE) il 02.12.1938", "DATE_OF_BIRTH", "02.12.1938"),
    ('{"fechaNacimiento": "1980-04-03"}', "DATE_OF_BIRTH", "1980-04-03"),
    ("出生日期:1980-04-03", "DATE_OF_BIRTH", "1980-04-03"),
    ("Telemóvel 912 744 852", "PHONE_NUMBER", "912 744 852"),
    ("mi número es 612 34 25 72", "PHONE_NUMBER", "612 34 25 72"),
    ("Móvil: 612.34.55.51", "PHONE_NUMBER", "612.34.55.51"),
    ("Caller ID 201-555-4069", "PHONE_NUMBER", "201-555-4069"),
    ("My # is 415-555-2671", "PHONE_NUMBER", "415-555-2671"),
    ("voicemail from (201)567-4269 (0:42)", "PHONE_NUMBER", "(201)567-4269"),
    ('{"home_phone_number": "4155550132"}', "PHONE_NUMBER", "4155550132"),
    ("tel_domicile: 0142685300", "PHONE_NUMBER", "0142685300"),
    ("Please call Mary at 4155550132", "PHONE_NUMBER", "4155550132"),
    ("Driver License: F777-785-13-644-0 State: FL", "US_DRIVER_LICENSE", "F777-785-13-644-0"),
    ("driver license 44-926-3654", "US_DRIVER_LICENSE", "44-926-3654"),
    ("Medicare No. 2123 45670/1", "AU_MEDICARE", "2123 45670/1"),
    ("A.B.N. 51 824 753 556", "AU_ABN", "51 824 753 556"),
    ('{"taxFileNumber": "123 456 782"}', "AU_TFN", "123 456 782"),
    ("Indian passport Z7137067", "IN_PASSPORT", "Z7137067"),
    ("Passport Number: D 3898769", "IN_PASSPORT", "D 3898769"),
    ("surrendering Indian passport b2381799", "IN_PASSPORT", "b2381799"),
    ("codice fiscale è LZR LPM 55C46 A662B", "IT_FISCAL_CODE", "LZR LPM 55C46 A662B"),
    ("Mi NIE es z-0958395-j", "ES_NIE", "z-0958395-j"),
    ("my NIE (Y 0041841 H)", "ES_NIE", "Y 0041841 H"),
    ("documento: 41.882.825D", "ES_NIF", "41.882.825D"),
    ("bill Medicare under 1f42-rr3-rc29", "US_MBI", "1f42-rr3-rc29"),
    ("MBI 4j91w64yd21", "US_MBI", "4j91w64yd21"),
    ("DL: driver's license is 132 151 148", "US_DRIVER_LICENSE", "132 151 148"),
    ("Tel. no.: 074109.94587", "PHONE_NUMBER", "074109.94587"),
    ("dial the engineer (+61-2-1248-2325) now", "PHONE_NUMBER", "+61-2-1248-2325"),
    ("<dt>Contact number:</dt><dd>14027766476</dd>", "PHONE_NUMBER", "14027766476"),
    ("fax: (11)-96124-7064", "PHONE_NUMBER", "(11)-96124-7064"),
    ("MAC address:5C-48-32-0B-C5-6F, v5.8.3", "MAC_ADDRESS", "5C-48-32-0B-C5-6F"),
    ('Safari/537.36"\n141.198.56.166 - - [08/Dec/2025]', "IP_ADDRESS", "141.198.56.166"),
    ("zawarta z Piotr Paleń, PESEL\n75100504673.", "PL_PESEL", "75100504673"),
    ("ALGOLIA_ADMIN_KEY=4bc78fd84f2e471dc292450e1c4f7bc1", "API_KEY", "4bc78fd84f2e471dc292450e1c4f7bc1"),
    (
        "update my Twilio API key to 23a6ff02e522120b95101c66682dde8f please",
        "API_KEY",
        "23a6ff02e522120b95101c66682dde8f",
    ),
    (
        "https://api.telegram.org/bot5065002607:AAURyi5v3G1baxNKbMpyOCd7TzmaxYMLL90/getMe",
        "API_KEY",
        "5065002607:AAURyi5v3G1baxNKbMpyOCd7TzmaxYMLL90",
    ),
    ("The key is glpat-pJmLSyO_JxDczZr36VDZ.", "API_KEY", "glpat-pJmLSyO_JxDczZr36VDZ"),
    ("paid from card 3714.496353.98431", "CREDIT_CARD", "3714.496353.98431"),
    ('{"accountNumber": 12345678}', "US_BANK_NUMBER", "12345678"),
]


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_like_a_value_is_left_alone(text: str) -> None:
    assert [(span.entity, text[span.start : span.end]) for span in find_spans(text)] == []


@pytest.mark.parametrize(("text", "entity", "value"), VALUES + OTHERWISE)
def test_a_value_is_found_by_the_words_that_people_use(text: str, entity: str, value: str) -> None:
    assert (entity, value) in [(span.entity, text[span.start : span.end]) for span in find_spans(text)]


def test_a_stream_keeps_what_a_name_is_read_from() -> None:
    assert all(row.within + context.NAME <= LEFT for row in DETECTORS if row.named)


def test_a_shorter_word_at_the_end_of_a_longer_one_counts_where_the_longer_is_too_far() -> None:
    text = f"{'It rained. ' * 20}date of birth: {'x' * 52} 1980-02-03"

    assert [(span.entity, text[span.start : span.end]) for span in find_spans(text)] == [
        ("DATE_OF_BIRTH", "1980-02-03")
    ]
