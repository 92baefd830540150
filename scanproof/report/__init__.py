"""What a judged run leaves for people: the evidence report and its picture of the site."""
