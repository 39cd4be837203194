"""Meta-learners: what turns a support set into a task state."""
