"""The networks of the base learner and of its outer critic."""
