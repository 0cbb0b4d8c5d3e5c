//! What comes out of the printer: lines of text and a picture of the paper.
