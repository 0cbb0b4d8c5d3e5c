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
mod words;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use crate::config::Settings;

/// Exit code: trying again later helps, for example when another daemon holds the journal.
pub const TRY_LATER: u8 = 75;
/// Exit code: the configuration, `EX_CONFIG` of sysexits.h.
pub const BAD_CONFIG: u8 = 78;
/// Exit code: the command line.
const USAGE: u8 = 2;
/// Where the configuration is looked for.
const DEFAULT_CONFIG: &str = "/etc/drawerbridge/drawerbridge.toml";

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 75 try again later, 78 configuration.";
const LONG: &str = "\
Examples:
  drawerbridge demo                                   a whole shift opening, simulated
  drawerbridge config example > drawerbridge.toml     a configuration to fill in
  drawerbridge config check --config drawerbridge.toml
  drawerbridge run --config drawerbridge.toml         the daemon
  drawerbridge status                                 what it knows

Each command says more with --help. Results go to stdout, everything else to stderr.
Exit codes: 0 done, 1 failed, 2 usage, 75 try again later, 78 configuration.";

/// Joins the cash drawer's sensor, the counted float and Shopify's register session.
///
/// Try it without any hardware or shop: `drawerbridge demo`.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES, after_long_help = LONG)]
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
    Run(run::RunArgs),
    /// Open a till's drawer through the running daemon, and say what is proven
    Kick(kick::KickArgs),
    /// Show what the running daemon knows of its tills
    Status(status::StatusArgs),
    /// List openings, show the evidence of one, or decide about one that needs a person
    Openings(openings::OpeningsArgs),
    /// Print a slip again, marked COPY
    Reprint(reprint::ReprintArgs),
    /// Read the record of what happened, and check that nobody changed it
    Journal(journal::JournalArgs),
    /// Check a configuration, or print one to start from
    #[command(after_long_help = config::LONG)]
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
    #[command(after_long_help = config::LONG_CHECK)]
    Check {
        #[command(flatten)]
        config: ConfigArg,
        /// Print one JSON object: `file`, `fine`, `problems`, and when it is fine `counts`, `tills`, `shop`, `journal`, `listen`, `remarks`
        #[arg(long)]
        json: bool,
    },
    /// Print a commented configuration to start from
    #[command(after_long_help = config::LONG)]
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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(wrong) if wrong.use_stderr() => wrong.exit(),
        // `--help` and `--version` are results like any other.
        Err(asked) => return said(asked.print(), ExitCode::SUCCESS),
    };
    match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::demo(&args),
        Command::Run(args) => run::run(&args),
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

/// Prints one line to stdout. The error is the exit code to end with: a reader that has enough (`| head`) is no failure,
/// and nothing more needs to be said; any other is, and was complained of.
pub(crate) fn say(text: impl std::fmt::Display) -> Result<(), ExitCode> {
    print(&text).map_err(|cause| said(Err(cause), ExitCode::SUCCESS))
}

/// Prints the last line of a command that ends with `code`.
pub(crate) fn say_last(text: impl std::fmt::Display, code: ExitCode) -> ExitCode {
    said(print(&text), code)
}

fn print(text: &dyn std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// The exit code after a result was printed, or could not be.
fn said(printed: io::Result<()>, code: ExitCode) -> ExitCode {
    match printed {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            complain(format!("the result could not be written to stdout: {cause}"));
            ExitCode::FAILURE
        }
        Ok(()) | Err(_) => code,
    }
}

/// Says on stderr what went wrong.
pub(crate) fn complain(text: impl std::fmt::Display) {
    // Without a stderr there is nobody to tell.
    drop(writeln!(io::stderr().lock(), "drawerbridge: {text}"));
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

/// Reads the configuration for a command that reads or asks, or says every problem and gives the exit code.
fn settings(path: &Path) -> Result<Settings, ExitCode> {
    crate::config::load(path).map_err(|problems| unusable(&problems))
}

/// Says what is wrong with the configuration.
fn unusable(problems: &crate::config::Problems) -> ExitCode {
    complain(format!("the configuration cannot be used\n{problems}"));
    ExitCode::from(BAD_CONFIG)
}

/// A runtime for subcommands and the daemon: one thread, because a till has little to do and it must be done in order.
fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| {
        complain(format!("the runtime could not be started: {e}"));
        ExitCode::FAILURE
    })
}
