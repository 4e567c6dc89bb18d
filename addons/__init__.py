"""mitmproxy hooks, one concern a file; each translates a flow into one call of the domain."""
