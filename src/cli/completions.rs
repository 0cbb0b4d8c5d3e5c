//! `drawerbridge completions`: for the shell.
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, say_last};

const LONG: &str = "\
Examples:
  drawerbridge completions bash > /etc/bash_completion.d/drawerbridge
  drawerbridge completions fish > ~/.config/fish/completions/drawerbridge.fish";

/// Print completions.
#[derive(Args)]
#[command(after_long_help = LONG)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> ExitCode {
    // Into memory first: the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "drawerbridge", &mut script);
    say_last(String::from_utf8_lossy(&script).trim_end(), ExitCode::SUCCESS)
}
