//! What must be reached, in the short version, too, and that nothing else is.
//!
//! The list was written down from what the machine's code allows, not from what a run had reached. `SendNow` is a state only
//! between a row and the request that follows it at once, so it has no edges of its own. A state is followed by those that one
//! input leads to; `store x` is `Storing`, with the row that is being written.
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    attempts::{INTENT, RESEND, SAME, THREE},
    check::{
        ABSENT, CONFIRMED, IN_DOUBT, NOT_SILENT, NOTHING, ONE_LINE, ONE_OF_BOTH, ONE_OPEN, ONE_SESSION, RECORDED, SAID,
        SETTLES,
    },
    mind::{DEAF, OWN_DEVICE},
    play::ALARM,
};

/// Each of these must be put to the test.
const PROPERTIES: &[&str] = &[
    INTENT,
    RESEND,
    SAME,
    THREE,
    DEAF,
    OWN_DEVICE,
    ONE_SESSION,
    ONE_LINE,
    ONE_OF_BOTH,
    ONE_OPEN,
    CONFIRMED,
    RECORDED,
    ABSENT,
    NOTHING,
    IN_DOUBT,
    NOT_SILENT,
    ALARM,
    SAID,
    SETTLES,
];

/// A start of the daemon is no state, but it leads to some.
const RESTART: &str = "(restart)";

/// Each state of the machine, and where one input leads from it.
const EDGES: &[(&str, &[&str])] = &[
    ("(restart)", &["Asked", "Fenced", "Offline", "Ready", "Settled", "Unknown"]),
    (
        "Ready",
        &[
            "Offline",
            "Preflight",
            "store confirmed",
            "store needs_attention",
            "store refused",
            "store resolved",
            "store sending",
            "store stale",
        ],
    ),
    ("Offline", &["Preflight", "store resolved"]),
    (
        "Preflight",
        &[
            "Offline",
            "ReadingOpener",
            "store confirmed",
            "store needs_attention",
            "store not_sent",
            "store recorded",
            "store refused",
            "store resolved",
            "store sending",
            "store stale",
        ],
    ),
    (
        "Sending",
        &["store confirmed", "store needs_attention", "store not_sent", "store recorded", "store refused", "store unknown"],
    ),
    ("Unknown", &["Reading", "store resolved"]),
    (
        "Reading",
        &[
            "ReadingOpener",
            "store absent",
            "store confirmed",
            "store needs_attention",
            "store recorded",
            "store resolved",
            "Unknown",
        ],
    ),
    ("Fenced", &["ReadingFence", "store resolved"]),
    ("ReadingFence", &["Fenced", "ReadingOpener", "store confirmed", "store needs_attention", "store resolved"]),
    ("ReadingOpener", &["store needs_attention", "store resolved"]),
    ("Asked", &["store resolved"]),
    (
        "StoreAgain",
        &[
            "store absent",
            "store confirmed",
            "store needs_attention",
            "store not_sent",
            "store recorded",
            "store refused",
            "store resolved",
            "store sending",
            "store stale",
            "store unknown",
        ],
    ),
    ("store absent", &["Offline", "StoreAgain"]),
    ("store confirmed", &["Settled", "StoreAgain"]),
    ("store needs_attention", &["Asked", "StoreAgain"]),
    ("store not_sent", &["Offline", "StoreAgain"]),
    ("store recorded", &["Settled", "StoreAgain"]),
    ("store refused", &["Settled", "StoreAgain"]),
    ("store resolved", &["Offline", "Settled", "StoreAgain"]),
    ("store sending", &["Sending", "StoreAgain"]),
    ("store stale", &["Settled", "StoreAgain"]),
    ("store unknown", &["ReadingFence", "StoreAgain", "Unknown"]),
];

/// The state that is inside another one only.
const INSIDE: &str = "SendNow";

/// What a story comes by, and what it can end with.
const ENDS: &[&str] = &[
    "a person: GiveUp",
    "a person: Link",
    "a person: RecordCount",
    "asked: ambiguous",
    "asked: attempts_used_up",
    "asked: count_refused",
    "asked: duplicate",
    "asked: foreign_session",
    "asked: hidden_session",
    "asked: shared_drawer",
    "confirmed: answered",
    "confirmed: found",
    "opening.absent",
    "opening.not_sent",
    "opening.refused",
    "opening.sending",
    "opening.stale",
    "opening.unknown",
    "recorded: answered",
    "recorded: found",
];

/// Prints what was not reached, or was reached and is not in the lists, and says how many that is.
pub fn missed(
    states: &BTreeSet<&str>,
    edges: &BTreeMap<&str, Vec<&str>>,
    ends: &BTreeSet<&str>,
    tested: &BTreeMap<&str, u64>,
) -> usize {
    let pairs = |edges: &[(&str, &[&str])]| -> BTreeSet<String> {
        edges.iter().flat_map(|(from, to)| to.iter().map(move |to| format!("{from} → {to}"))).collect()
    };
    let reached: Vec<(&str, &[&str])> = edges.iter().map(|(from, to)| (*from, &to[..])).collect();
    let names = EDGES.iter().flat_map(|(from, to)| to.iter().copied().chain([*from])).chain([INSIDE]);
    let expected: BTreeSet<String> = names.filter(|name| *name != RESTART).map(str::to_owned).collect();
    let owned = |names: &BTreeSet<&str>| names.iter().map(|&name| name.to_owned()).collect();
    let properties = PROPERTIES.iter().map(|&name| name.to_owned()).collect();
    differ("state", &expected, &owned(states))
        + differ("edge", &pairs(EDGES), &pairs(&reached))
        + differ("end", &ENDS.iter().map(|&end| end.to_owned()).collect(), &owned(ends))
        + differ("test of", &properties, &tested.keys().map(|&name| name.to_owned()).collect())
}

fn differ(what: &str, expected: &BTreeSet<String>, reached: &BTreeSet<String>) -> usize {
    for name in expected.difference(reached) {
        println!("model: not reached: {what} {name}");
    }
    for name in reached.difference(expected) {
        println!("model: reached, and not expected: {what} {name}");
    }
    expected.symmetric_difference(reached).count()
}
