//! Every scenario of `hil/scenarios`, played against the real daemon process.
//!
//! `cargo test --workspace` builds the daemon's program before this runs. With `-p drawerbridge-hil` alone it is not built:
//! then this fails if the program is missing or older than what it is made of, because a rig that tests nothing, or
//! yesterday's daemon, must not look green.
use std::path::Path;

use drawerbridge_hil::{
    bench::{
        self,
        daemon::{find_program, refuse_stale},
    },
    scenario::{self, RunOptions, report},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_goes_as_it_is_written() {
    let program = find_program(None).unwrap_or_else(|why| panic!("{why}"));
    refuse_stale(&program).unwrap_or_else(|why| panic!("{why}"));
    bench::patience().unwrap_or_else(|why| panic!("{why}"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let scenarios = scenario::load(&[folder]).unwrap_or_else(|errors| panic!("{errors}"));
    let start = tokio::time::Instant::now();
    let options = RunOptions { program, keep: false };
    let reports =
        scenario::play_all(scenarios, &options, bench::default_jobs(), |report| println!("{}", report.line())).await;
    let wrong: Vec<String> = reports.iter().filter(|r| !r.ok()).map(ToString::to_string).collect();
    let summary = report::summary(&reports, start.elapsed());
    println!("{summary}");
    assert!(wrong.is_empty(), "{}\n{summary}", wrong.join("\n"));
}
