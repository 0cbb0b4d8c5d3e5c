//! One short file per subcommand; the only place that prints.
mod client;
mod completions;
pub mod config;
#[cfg(feature = "demo")]
mod demo;
mod journal;
mod kick;
mod openings;
mod reprint;
mod run;
mod status;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use crate::config::Settings;

/// Exit code: trying again later helps, for example when another daemon holds the journal.
pub const TRY_LATER: u8 = 75;
/// Exit code: the configuration.
pub const BAD_CONFIG: u8 = 78;
/// Where the configuration is looked for.
const DEFAULT_CONFIG: &str = "/etc/drawerbridge/drawerbridge.toml";

/// Joins the cash drawer's sensor, the counted float and Shopify's register session.
///
/// Try it without any hardware or shop: `drawerbridge demo`.
#[derive(Parser)]
#[command(version, after_help = "Exit codes: 0 done, 1 failed, 2 usage, 75 try again later, 78 configuration.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play a whole shift opening on a simulated till: no hardware, no shop
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    /// Run the daemon
    Run(ConfigArg),
    /// Open a till's drawer through the running daemon, and say what is proven
    Kick(kick::KickArgs),
    /// Show what the running daemon knows of its tills
    Status(status::StatusArgs),
    /// List the openings of a till, or show the whole story of one
    Openings(openings::OpeningsArgs),
    /// Print a slip again, marked COPY
    Reprint(reprint::ReprintArgs),
    /// Read the record of what happened, and check that nobody changed it
    Journal(journal::JournalArgs),
    /// Check a configuration, or print one to start from
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check a configuration without starting anything
    Check {
        #[command(flatten)]
        config: ConfigArg,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a commented configuration to start from
    Example,
}

/// `--config FILE`.
#[derive(Args, Clone)]
struct ConfigArg {
    /// The configuration
    #[arg(long, value_name = "FILE", env = "DRAWERBRIDGE_CONFIG", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

/// Reads the command line, does what it says, returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::demo(&args),
        Command::Run(args) => run::run(&args.config),
        Command::Kick(args) => kick::kick(&args),
        Command::Status(args) => status::status(&args),
        Command::Openings(args) => openings::openings(&args),
        Command::Reprint(args) => reprint::reprint(&args),
        Command::Journal(args) => journal::journal(&args),
        Command::Config { what: ConfigCommand::Check { config, json } } => config::check(&config.config, json),
        Command::Config { what: ConfigCommand::Example } => config::example(),
        Command::Completions(args) => completions::completions(&args),
    }
}

/// Prints one line to stdout. A reader that has enough (`| head`) ends the program quietly.
pub(crate) fn say(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Says on stderr what went wrong.
pub(crate) fn complain(text: impl std::fmt::Display) {
    // Without a stderr there is nobody to tell.
    drop(writeln!(std::io::stderr().lock(), "drawerbridge: {text}"));
}

/// An error with its causes, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let more = deeper.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = deeper.source();
    }
    text
}

/// Reads the configuration, or says every problem and gives the exit code.
fn settings(path: &Path) -> Result<Settings, ExitCode> {
    crate::config::load(path).map_err(|problems| {
        complain(format!("the configuration cannot be used\n{problems}"));
        ExitCode::from(BAD_CONFIG)
    })
}

/// A runtime for subcommands and the daemon: one thread, because a till has little to do and it must be done in order.
fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| {
        complain(format!("the runtime could not be started: {e}"));
        ExitCode::FAILURE
    })
}
