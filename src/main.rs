//! The command line.
fn main() -> std::process::ExitCode {
    drawerbridge::cli::main()
}
