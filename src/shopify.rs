//! Asks Shopify, never decides.
