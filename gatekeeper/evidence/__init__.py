"""Evidence: a period of the journal as a bundle that an auditor takes away and checks without Gatekeeper."""

from gatekeeper.evidence.bundle import Order, Sources, build_bundle

__all__ = ["Order", "Sources", "build_bundle"]
