"""Files and folders of a person's images, as a support set."""
