//! The screen: draws a state, turns keys into intents.
