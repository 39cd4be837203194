"""What training and inner games minimise: GAN losses, the energy distance, and the thermostat between the players."""
