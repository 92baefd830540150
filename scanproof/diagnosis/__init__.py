"""From red cases to causes: what is wrong, where it sits, who can put it right, and which cases it explains."""

from scanproof.diagnosis import device, dns, inventory, mail, network, tenant, wants
from scanproof.diagnosis.explain import Diagnosis, explain

__all__ = ["Diagnosis", "explain"]

PARTS = (inventory, network, dns, tenant, mail, device, wants)  # each registers its rules by being imported
