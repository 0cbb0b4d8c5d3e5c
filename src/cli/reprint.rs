//! `drawerbridge reprint`: a slip once more, marked COPY.
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;

use super::{
    ConfigArg,
    client::{Client, segment},
    say_last,
};

const LONG: &str = "\
The copy says what the journal says now: after a late confirmation, the session too. It says COPY, so that nobody counts
it twice. Whether it is on paper stands in the opening's story: `drawerbridge openings show ID`.

Exit codes: 0 it is queued; 1 there is no such opening, it was never counted, or its till has no printer; 75 no daemon answers.

Examples:
  drawerbridge reprint 8R0NM4RDQ6
  drawerbridge reprint 8r0nm4rdq6 --config /etc/drawerbridge/drawerbridge.toml";

/// Print a slip again.
#[derive(Args)]
#[command(after_long_help = LONG)]
pub(super) struct ReprintArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The ten characters of the opening (`drawerbridge openings` lists them)
    id: String,
}

pub(super) fn reprint(args: &ReprintArgs) -> ExitCode {
    reprinted(args).unwrap_or_else(|code| code)
}

fn reprinted(args: &ReprintArgs) -> Result<ExitCode, ExitCode> {
    let client = Client::new(&args.config)?;
    let path = format!("/v1/openings/{}/slip", segment(&args.id.trim().to_ascii_uppercase()));
    client.ask(Method::POST, &path, None)?;
    Ok(say_last("the copy is queued: it comes out as soon as the printer can print", ExitCode::SUCCESS))
}
