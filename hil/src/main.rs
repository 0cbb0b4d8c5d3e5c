//! The rig on the command line.
fn main() {}
