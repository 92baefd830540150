"""The customer's tenant, read through Microsoft's public interfaces."""
