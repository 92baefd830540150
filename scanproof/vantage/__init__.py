"""Where probes run from: this machine, or a host of a subnet that is reached over SSH."""
