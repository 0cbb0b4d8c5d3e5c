//! What a slip says.
