//! Breadth first through all worlds of one run: every world once, every action in it.
//!
//! ## Why not stateright
//! It keeps a 64-bit fingerprint of each state; here the states themselves are kept and compared, so that no two futures can
//! share a key. Its `eventually` does not follow cycles, and this machine reads again in cycles; here every world is followed
//! along the one way that an undisturbed world goes, to its end. And which states and edges of the machine were reached, and
//! how often a property was put to the test, is counted where machines are asked.
use std::{fmt::Write as _, time::Duration};

use drawerbridge_hil::progress::Progress;
use indexmap::IndexSet;

use crate::{
    check::SETTLES,
    mind::{Minds, Reached},
    runs::{FAULTS, Setup},
    world::{Action, Play, World},
};

/// What a run came to.
pub struct Found {
    pub worlds: usize,
    pub edges: u64,
    pub depth: u32,
    pub took: Duration,
    pub machines: usize,
    pub reached: Reached,
    /// A property that does not hold, and how to get there.
    pub counterexample: Option<String>,
}

const NOT_YET: u32 = u32::MAX;

/// Explores one run.
pub fn explore(setup: &Setup) -> Found {
    let progress = Progress::new(setup.name, 0);
    let mut play = Play { setup, minds: Minds::new(setup) };
    let mut worlds: IndexSet<World> = IndexSet::new();
    worlds.insert(World::first(setup, &mut play.minds));
    // How each world was first reached, how deep it lies, and where it goes undisturbed.
    let mut way: Vec<(u32, Action)> = vec![(0, Action::QuietPasses)];
    let mut depth: Vec<u32> = vec![0];
    let mut calm: Vec<u32> = vec![];
    let (mut edges, mut counterexample) = (0_u64, None);
    let mut at = 0;
    while at < worlds.len() && counterexample.is_none() {
        let w = worlds[at];
        let index = u32::try_from(at).expect("not so many");
        let quiet = play.calm(&w);
        let mut goes = index;
        if quiet.is_none() {
            play.check_end(&w);
        }
        if play.minds.complaint.is_some() {
            counterexample = Some(told(&mut play, &way, index, None));
            break;
        }
        for action in play.actions(&w) {
            let next = play.after(&w, action);
            edges += 1;
            let (then, new) = worlds.insert_full(next);
            let then = u32::try_from(then).expect("not so many");
            if new {
                way.push((index, action));
                depth.push(depth[at] + 1);
            }
            if Some(action) == quiet {
                goes = then;
            }
            if play.minds.complaint.is_some() {
                counterexample = Some(told(&mut play, &way, index, Some(action)));
                break;
            }
        }
        assert!(
            counterexample.is_some() || quiet.is_none() || goes != index,
            "what happens undisturbed can happen: {quiet:?}"
        );
        calm.push(goes);
        at += 1;
        if at % 1024 == 0 {
            progress.step(1024);
        }
    }
    if counterexample.is_none() {
        play.minds.tested(SETTLES);
        if let Some(stuck) = never_ends(&calm) {
            play.minds.complain(SETTLES, "undisturbed, it comes back to this world for ever".to_owned());
            counterexample = Some(told(&mut play, &way, stuck, None));
        }
    }
    progress.finish();
    Found {
        worlds: worlds.len(),
        edges,
        depth: depth.iter().copied().max().unwrap_or(0),
        took: progress.elapsed(),
        machines: play.minds.len(),
        reached: play.minds.reached,
        counterexample,
    }
}

/// A world from which the undisturbed way leads to no end.
fn never_ends(calm: &[u32]) -> Option<u32> {
    let mut seen = vec![NOT_YET; calm.len()];
    for start in 0..u32::try_from(calm.len()).expect("not so many") {
        let mut at = start;
        while seen[at as usize] == NOT_YET {
            seen[at as usize] = start;
            let next = calm[at as usize];
            if next == at {
                break;
            }
            if seen[next as usize] == start {
                return Some(next);
            }
            at = next;
        }
    }
    None
}

/// The counterexample, as the list of what happened.
fn told(play: &mut Play, way: &[(u32, Action)], last: u32, and: Option<Action>) -> String {
    let (property, detail) = play.minds.complaint.take().expect("something was found");
    let mut actions: Vec<Action> = and.into_iter().collect();
    let mut at = last;
    while at != 0 {
        let (before, action) = way[at as usize];
        actions.push(action);
        at = before;
    }
    let mut text = format!("{}: violated: {property}: {detail}\n", play.setup.name);
    let mut w = World::first(play.setup, &mut play.minds);
    for (n, action) in actions.iter().rev().enumerate() {
        w = play.after(&w, *action);
        writeln!(text, "{:>3}. {}", n + 1, line(play, *action, &w)).expect("a text takes more");
    }
    for d in 0..play.setup.daemons() {
        let journal = w.daemons[usize::from(d)].journal;
        writeln!(text, "     journal {d}: {}", play.minds.names(journal)).expect("a text takes more");
    }
    for (number, order) in play.minds.orders.iter().enumerate() {
        writeln!(text, "     request {number}: {}", order.variables).expect("a text takes more");
    }
    text
}

fn line(play: &Play, action: Action, w: &World) -> String {
    let states: Vec<_> =
        w.daemons.iter().take(usize::from(play.setup.daemons())).map(|d| play.minds.state(d.machine)).collect();
    let sessions: Vec<_> = w
        .tills
        .iter()
        .map(|till| {
            let one = |s: &crate::shop::Session| {
                let lines = if s.lines.is_empty() { String::new() } else { format!(" counts {:?}", s.lines) };
                format!("by {}{}{lines}", s.by, if s.open { " open" } else { " closed" })
            };
            till.sessions.iter().map(one).collect::<Vec<_>>().join(", ")
        })
        .collect();
    format!("{action:?} → {} | sessions [{}] | on their way {}", states.join(" / "), sessions.join("] ["), w.flights.len())
}

/// The bounds of a run, for people.
pub fn bounds(setup: &Setup) -> String {
    let each = FAULTS.iter().filter(|(fault, _)| setup.bound(*fault) > 0);
    let each: Vec<_> = each.map(|(fault, name)| format!("{name} ≤ {}", setup.bound(*fault))).collect();
    format!("{}; faults together ≤ {}", each.join(", "), setup.together)
}
