"""The firewall of the machine that a run stands on, read and never changed: does a rule of its own stop mail?"""
