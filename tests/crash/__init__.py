"""What the crash tests need: a program that stops where it is told to, and what must hold."""
