//! Proofs that can fail: with a deliberate mistake switched on, each of them finds violations; without it, none.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests may stop the test and say why")]

mod power_loss;

use std::{env, process::Command};

use drawerbridge::saboteur::{Saboteur, VARIABLE};
use power_loss::{NoProof, Outcome, Spec, prove, was_the_writer};

/// Not a test of anything: the process that the power-loss proof records is this one, asked for nothing else.
#[test]
fn the_writer_of_the_power_loss_proof() {
    was_the_writer();
}

/// `None` where the machine cannot record.
fn power_loss_with(saboteur: Option<Saboteur>) -> Option<Outcome> {
    let writer = || {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["the_writer_of_the_power_loss_proof", "--exact"]);
        command.env(VARIABLE, saboteur.map_or("", Saboteur::name));
        command
    };
    match prove(&Spec { seed: 7, images: 400, only: None }, &writer, &|| {}) {
        Ok(outcome) => Some(outcome),
        Err(NoProof::NoRecorder(why)) => {
            println!("SKIPPED, nothing is proven: {why}");
            None
        }
        Err(NoProof::Failed(why)) => panic!("no proof: {why}"),
    }
}

#[test]
fn with_synchronous_off_the_power_loss_proof_finds_lost_rows_and_without_it_none() {
    let Some(honest) = power_loss_with(None) else { return };
    assert_eq!(honest.images, 400);
    assert!(honest.violations.is_empty(), "{:?}", honest.violations);
    let sabotaged = power_loss_with(Some(Saboteur::SynchronousOff)).unwrap();
    let lost = sabotaged.violations.iter().filter(|v| v.what.contains("rows were called durable")).count();
    println!("synchronous = OFF: {} of {} images broken, {lost} lost rows", sabotaged.violations.len(), sabotaged.images);
    sabotaged.violations.iter().take(3).for_each(|violation| println!("  {violation}"));
    assert!(lost > 20, "{lost} of {} images", sabotaged.images);
}
