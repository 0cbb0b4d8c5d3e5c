//! `drawerbridge reprint`: a slip once more, marked COPY.
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;

use super::{ConfigArg, client::Client, runtime, say};

/// Print a slip again.
#[derive(Args)]
pub(super) struct ReprintArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The ten characters of the opening (`drawerbridge openings` lists them)
    id: String,
}

pub(super) fn reprint(args: &ReprintArgs) -> ExitCode {
    let work = || -> Result<ExitCode, ExitCode> {
        let client = Client::new(&args.config)?;
        let path = format!("/v1/openings/{}/slip", args.id.trim().to_ascii_uppercase());
        runtime()?.block_on(client.ask(Method::POST, &path, None))?;
        say("the copy is on its way to the printer");
        Ok(ExitCode::SUCCESS)
    };
    work().unwrap_or_else(|code| code)
}
