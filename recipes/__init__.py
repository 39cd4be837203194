"""The programs that train the feature nets that ship, and the list of what nothing is trained on."""
