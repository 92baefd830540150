"""Drivers of office devices: what their admin pages, address books, logs and SNMP say; read-only by construction."""
