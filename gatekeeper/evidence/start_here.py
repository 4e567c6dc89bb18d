"""What the bundle's first page says: how to check it without Gatekeeper."""

from typing import Final

START_HERE: Final = """\
Evidence of calls through a Gatekeeper gateway
==============================================

Check it, in three commands, in this folder. They need sha256sum, Python 3, openssl and ssh-keygen, no Gatekeeper and
no network:

    sha256sum --check --quiet tagmanifest-sha256.txt manifest-sha256.txt
    python3 -I data/verify/verify.py
    sed -n 1,60p data/verify/verify.py          # what you have just run; it has about 260 lines

Then compare data/keys/journal.vkey with the key that the organisation gave you another way, and a checkpoint that you
keep from before with data/journal/anchors.log: a log that was replaced as a whole shows only there.

Read it:

    data/report.html        one page, in any browser, or printed; data/report.json has the same figures
    data/csv/               population, approvals, denials, masking, identities, config_changes, key_events, clock,
                            gaps, reconciliation, access, exceptions: for a spreadsheet. Times are UTC
    data/samples/           calls drawn by hash from your nonce and the log's root, one folder each: entries.json with
                            inclusion proofs, N.body (masked, in clear), N.statement and N.sig (what a reviewer signed)
    data/replay/            the sampled calls as HAR (browsers, proxies) and as mitmproxy flows
    data/policy/            each configuration that was in force, by its SHA-256, with secrets hidden
    data/journal/           log.db (sqlite3 data/journal/log.db "SELECT leaf FROM entry LIMIT 5"), signed checkpoints,
                            consistency.txt (RFC 6962, between them), anchors.log, timestamps/ (RFC 3161)
    data/keys/              the log's verification key, and the reviewers' public keys

One decision by hand:

    cd data/samples/holds/N && ssh-keygen -Y verify -f M.signers -I NAME -n gatekeeper-approval \\
        -Overify-time=$(cat M.time) -s M.sig < M.statement

The signatures over the whole bundle, where they are there: tagmanifest-sha256.txt.note (the log's key; verify.py checks
it), .tsr (a time-stamp, RFC 3161) and .sig (a person's SSH key):

    openssl ts -verify -in tagmanifest-sha256.txt.tsr -data tagmanifest-sha256.txt -CAfile ROOTS-OF-THE-AUTHORITY.pem
    ssh-keygen -Y check-novalidate -n gatekeeper-evidence -s tagmanifest-sha256.txt.sig < tagmanifest-sha256.txt
"""
