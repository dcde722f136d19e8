"""The web booth on this machine: the built page, a server for it, and the browser that its parity gate runs in."""
