"""`gatekeeper doctor`: is this installation in order, and, from inside a container, is the way out closed."""
