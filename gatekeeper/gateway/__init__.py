"""The gateway: builds mitmproxy's Master around the chain, serves, and stops in order."""
