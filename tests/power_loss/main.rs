//! The power-loss proof of the journal.
//!
//! ```text
//! cargo test --test power_loss                                              the short one
//! cargo test --release --test power_loss -- --images 20000 --seed 7         the long one
//! cargo test --release --test power_loss -- --images 20000 --seed 7 --only 4711
//! ```
#![allow(clippy::unwrap_used, reason = "a proof may stop at what it does not expect")]
#![expect(clippy::print_stdout, reason = "a proof says what it found")]

#[path = "mod.rs"]
mod power_loss;

use std::{
    env,
    process::{Command, ExitCode},
};

use drawerbridge_hil::progress::Progress;
use power_loss::{NoProof, Spec, prove, was_the_writer};

const IMAGES: u64 = 1500;
const SEED: u64 = 7;

fn main() -> ExitCode {
    if was_the_writer() {
        return ExitCode::SUCCESS;
    }
    // What `cargo test` hands to every target (filters, --nocapture and the like) is no concern of this one.
    let args: Vec<_> = env::args().collect();
    if args.iter().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let given = |name: &str| {
        let value = args.iter().skip_while(|arg| *arg != name).nth(1)?;
        Some(value.parse::<u64>().unwrap_or_else(|_| panic!("{name} {value}: a whole number is needed")))
    };
    let (images, seed, only) = (given("--images"), given("--seed").unwrap_or(SEED), given("--only"));
    let spec = Spec { seed, images: images.unwrap_or(IMAGES), only };
    let progress = Progress::new("power loss", only.map_or(spec.images, |_| 1));
    let program = env::current_exe().expect("a running program has a file");
    let outcome = prove(&spec, &|| Command::new(&program), &|| progress.step(1));
    progress.finish();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        // Who asks for a number of disks wants a proof, and no excuse.
        Err(NoProof::NoRecorder(why)) if images.is_none() => {
            println!("power loss: SKIPPED, nothing is proven: {why}");
            return ExitCode::SUCCESS;
        }
        Err(NoProof::NoRecorder(why) | NoProof::Failed(why)) => {
            println!("power loss: no proof, seed {seed}: {why}");
            return ExitCode::FAILURE;
        }
    };
    for violation in outcome.violations.iter().take(20) {
        println!("{violation}");
    }
    println!(
        "power loss: {} images, seed {seed}, {} operations recorded, {} violations, {} s",
        outcome.images,
        outcome.operations,
        outcome.violations.len(),
        progress.elapsed().as_secs(),
    );
    println!(
        "power loss: {} transactions called durable, {} lives after a cut recorded and cut again, {} images with a whole \
         transaction that was not called durable yet",
        outcome.durable, outcome.second_cuts, outcome.early,
    );
    let Some(first) = outcome.violations.first() else { return ExitCode::SUCCESS };
    println!(
        "again, keeping its files in {}: cargo test --test power_loss -- --images {} --seed {seed} --only {}",
        env::temp_dir().display(),
        spec.images,
        first.image
    );
    ExitCode::FAILURE
}
