//! Guests that behave, and guests that misbehave in one way each; every example is a component of its own.
