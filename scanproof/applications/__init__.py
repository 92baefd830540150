"""Applications that mail their reports: the connections of their machines, and the reports that arrived."""
