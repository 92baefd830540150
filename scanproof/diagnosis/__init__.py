"""From red cases to causes: what is wrong, where it sits, who can put it right, and which cases it explains."""

from scanproof.diagnosis import device, dns, inventory, mail, model, network, tenant, wants
from scanproof.diagnosis.finding import Diagnosis, explain
from scanproof.diagnosis.model import RULES
from scanproof.diagnosis.wants import WANTS

__all__ = ["RULES", "WANTS", "Diagnosis", "explain", "markdown"]

PARTS = (inventory, network, dns, tenant, mail, device, wants)  # each registers its rules by being imported


def markdown() -> str:
    """Return every kind of cause as a Markdown table."""
    return model.markdown(WANTS)
