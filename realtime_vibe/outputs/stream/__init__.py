"""What is sent: VMC, VRChat and WebSocket, and its page."""
