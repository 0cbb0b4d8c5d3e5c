//! `drawerbridge completions`: for the shell.
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// Print completions.
#[derive(Args)]
#[command(after_help = "For bash: drawerbridge completions bash > /etc/bash_completion.d/drawerbridge")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> ExitCode {
    clap_complete::generate(args.shell, &mut Cli::command(), "drawerbridge", &mut std::io::stdout());
    ExitCode::SUCCESS
}
