//! The drawer behind the printer.
