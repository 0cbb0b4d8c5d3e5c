//! ESC/POS receipt printers.
