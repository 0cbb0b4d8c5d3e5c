//! A journal that an earlier version wrote is read by this one, for ever.
//!
//! Each version that writes something new gets a fixture of its own: add what is new to [`story`], name the version in
//! [`VERSION`], and make it once with
//!
//!     cargo test -p drawerbridge --test journal_fixture make -- --ignored --nocapture
//!
//! which leaves `tests/fixtures/journal-VERSION.db` and its export, `.jsonl`, and prints the line for [`FIXTURES`]. What is there
//! is never made again: `make` refuses.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
use std::{
    path::{Path, PathBuf},
    process::Command,
};

use drawerbridge::{
    journal::{self, Journal, chain::hex},
    opening::{
        WallClock,
        record::{Record, Standing},
        refusal_prompt, variables,
    },
    shift::event::{Counted, Decision, Event, Money, OpeningId, Pieces, Preflight, SessionFacts, StartedBy},
};
use jiff::{SignedDuration, Timestamp};

/// What [`make`] writes: the version, and a letter for what came to the story since.
const VERSION: &str = "0.1.0-b";

/// One journal of before.
struct Fixture {
    name: &'static str,
    rows: u64,
    head: &'static str,
    /// The unsettled openings, and where each stands.
    unsettled: &'static [(u64, &'static str)],
}

const FIXTURES: &[Fixture] = &[
    Fixture {
        name: "0.1.0",
        rows: 53,
        head: "da86b09c7118e66b717c135b6343eaa2c6948453410eb496d9d4674e498ffc75",
        unsettled: &[(6, "unknown"), (7, "counted"), (8, "waiting")],
    },
    // Mid-session counts, a person's decisions, stale counts, the preflight.
    Fixture {
        name: "0.1.0-b",
        rows: 70,
        head: "587768432087b1c89a0636bf02329db5a7b8df4d164a77bf1b4c989fc718edc7",
        unsettled: &[(6, "unknown"), (7, "counted"), (8, "waiting"), (12, "waiting")],
    },
];

fn id(n: u64) -> OpeningId {
    OpeningId::from_bits(n)
}

fn money(amount: &str) -> Money {
    Money { amount: amount.to_owned(), currency: "USD".to_owned() }
}

fn counted(device: u32) -> Counted {
    Counted {
        staff_name: "Robin Ñandú".to_owned(),
        staff_member_id: "gid://shopify/StaffMember/1".to_owned(),
        point_of_sale_device_id: format!("gid://shopify/PointOfSaleDevice/{device}"),
        reason_code_id: Some("gid://shopify/ReasonCode/3".to_owned()),
        balance: money("150.00"),
        lines: vec![],
        time: "2026-11-24T07:00:00Z".to_owned(),
        note: "two rolls of \"quarters\"".to_owned(),
    }
}

fn session(number: u32, status: &str, reference: Option<u64>) -> SessionFacts {
    SessionFacts {
        id: format!("gid://shopify/PointOfSaleDevicePaymentSession/{number}"),
        status: status.to_owned(),
        opening_time: "2026-11-24T07:00:00Z".to_owned(),
        opening_note: reference.map(|n| format!("[db:{}]", id(n))),
        counted: money("150.0"),
        expected: Some(money("140.0")),
    }
}

fn sending(n: u64, device: u32, attempt: u8, clock: WallClock) -> Event {
    let variables = variables(&id(n), &counted(device), clock);
    Event::OpeningSending { attempt, variables, into: None, preflight: None }
}

fn slip(kind: &str) -> [Event; 2] {
    let proof = "GS ( H".to_owned();
    [Event::SlipSending { kind: kind.to_owned() }, Event::SlipPrinted { kind: kind.to_owned(), proof }]
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// Every event there is, and every way an opening can end or hang: till, opening, what happened.
fn story() -> Vec<(&'static str, u64, Vec<Event>)> {
    let by_key = || Event::DrawerOpened { by: text("key") };
    let started = |by| Event::OpeningStarted { by };
    let lines = vec![Pieces { denomination: text("20.00"), pieces: 7 }, Pieces { denomination: text("0.25"), pieces: 40 }];
    let unknown = |attempt, already_open| Event::OpeningUnknown { attempt, why: text("the answer was lost"), already_open };
    let not_sent = |attempt| Event::OpeningNotSent { attempt, why: text("Shopify cannot be reached") };
    let confirmed =
        |how: &str, number, n| Event::OpeningConfirmed { how: text(how), session: session(number, "OPEN", Some(n)) };
    let first = "front-1";
    vec![
        ("", 0, vec![Event::DaemonStarted { version: text("0.1.0") }]),
        (
            first,
            0,
            vec![
                Event::PrinterStatus { status: text("up, online, paper ok") },
                Event::DisplayStatus { status: text("up") },
                Event::KeypadStatus { status: text("down: the cable") },
                by_key(),
            ],
        ),
        // 1: given up.
        (first, 1, vec![started(StartedBy::Drawer), Event::OpeningCancelled { why: text("nothing was keyed") }]),
        (first, 0, vec![Event::DrawerClosed { open_ms: 61_250 }]),
        // 2: confirmed by the answer, with a slip, a copy, and the shift's end.
        (
            first,
            2,
            vec![
                started(StartedBy::Drawer),
                Event::OpeningCounted(Counted { lines, ..counted(1) }),
                sending(2, 1, 1, WallClock::Trusted),
                confirmed("answered", 1, 2),
            ],
        ),
        (first, 2, slip("first").into()),
        (first, 2, slip("copy").into()),
        (first, 2, vec![Event::ShiftClosed { session_id: text("gid://shopify/PointOfSaleDevicePaymentSession/1") }]),
        (
            first,
            0,
            vec![
                Event::DrawerKicked { reason: text("change, für \u{1F4B6}"), outcome: text("not_proven") },
                Event::DrawerLeftOpen {},
            ],
        ),
        // 3: offline, a wrong clock, absent once, then found; two slips, the second not proven.
        (
            first,
            3,
            vec![
                started(StartedBy::Api),
                Event::OpeningCounted(Counted { reason_code_id: None, note: String::new(), ..counted(1) }),
                sending(3, 1, 1, WallClock::NeverCompared),
                not_sent(1),
                sending(3, 1, 1, WallClock::Wrong),
                unknown(1, false),
            ],
        ),
        (first, 3, slip("first").into()),
        (
            first,
            3,
            vec![
                Event::OpeningAbsent { attempt: 1, reads: 3 },
                sending(3, 1, 2, WallClock::Wrong),
                unknown(2, true),
                confirmed("found", 2, 3),
                Event::SlipSending { kind: text("confirmation") },
                Event::SlipNotProven { kind: text("confirmation"), why: text("the printer was switched off") },
                Event::ShiftClosed { session_id: text("gid://shopify/PointOfSaleDevicePaymentSession/2") },
            ],
        ),
        // 4: refused.
        (
            first,
            4,
            vec![
                started(StartedBy::Drawer),
                Event::OpeningCounted(counted(1)),
                sending(4, 1, 1, WallClock::Trusted),
                Event::OpeningRefused {
                    code: text("STAFF_MEMBER_NOT_FOUND"),
                    message: text("The staff member could not be found."),
                    prompt: refusal_prompt("STAFF_MEMBER_NOT_FOUND"),
                },
            ],
        ),
        // 5: a person is asked.
        (
            first,
            5,
            vec![
                started(StartedBy::Drawer),
                Event::OpeningCounted(counted(1)),
                sending(5, 1, 1, WallClock::Trusted),
                Event::OpeningNeedsAttention {
                    kind: text("foreign_session"),
                    why: text("the register was opened by someone else"),
                    prompt: [text("REGISTER IS OPEN"), text("NOT BY THIS COUNT")],
                    session: Some(session(9, "OPEN", None)),
                },
            ],
        ),
        // 6, 7, 8: not settled, on three devices.
        (
            first,
            6,
            vec![
                started(StartedBy::Drawer),
                Event::OpeningCounted(counted(1)),
                sending(6, 1, 1, WallClock::Trusted),
                unknown(1, false),
            ],
        ),
        ("front-2", 7, vec![started(StartedBy::Api), Event::OpeningCounted(counted(2))]),
        (
            "front-3",
            8,
            vec![
                started(StartedBy::Drawer),
                Event::OpeningCounted(counted(3)),
                sending(8, 3, 1, WallClock::Trusted),
                not_sent(1),
            ],
        ),
        ("front-3", 8, vec![Event::SlipSending { kind: text("first") }]),
        // 9: recorded as a mid-session count, after a look at everything there is to look at.
        (
            "front-4",
            9,
            vec![
                Event::OpeningCounted(counted(4)),
                Event::OpeningSending {
                    attempt: 1,
                    variables: variables(&id(9), &counted(4), WallClock::Trusted),
                    into: Some(session(20, "OPEN", None)),
                    preflight: Some(Preflight {
                        drawer: Some(text("gid://shopify/CashDrawer/1")),
                        shared_with: vec![text("gid://shopify/PointOfSaleDevice/5")],
                        skew_s: Some(-3),
                        api_version: Some(text("2026-04")),
                        warnings: vec![text("the drawer is shared")],
                    }),
                },
                Event::OpeningRecorded { how: text("found"), session: session(20, "OPEN", None) },
            ],
        ),
        // 10: too old. 11, 13, 12: a person gave it up, said whose it is, wants it recorded.
        (
            "front-4",
            10,
            vec![
                Event::OpeningCounted(counted(4)),
                Event::OpeningStale { why: text("it waited for a day"), prompt: [text("COUNT AGAIN"), text("TOO OLD")] },
            ],
        ),
        ("front-4", 11, asked(11, Decision::GiveUp, None)),
        ("front-4", 13, asked(13, Decision::Link, Some(session(21, "CLOSED", Some(13))))),
        ("front-4", 12, asked(12, Decision::RecordCount, Some(session(22, "OPEN", None)))),
    ]
}

/// A person was asked, and decided.
fn asked(n: u64, decision: Decision, session: Option<SessionFacts>) -> Vec<Event> {
    let (by, why) = (text("Kim"), text("I looked"));
    vec![
        Event::OpeningCounted(counted(4)),
        sending(n, 4, 1, WallClock::Trusted),
        Event::OpeningNeedsAttention {
            kind: text("ambiguous"),
            why: text("one looks like it"),
            prompt: [text("COUNT SAVED"), text("CALL THE MANAGER")],
            session: session.clone(),
        },
        Event::OpeningResolved { by, why, decision, session },
    ]
}

fn file(name: &str, end: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/journal-{name}.{end}"))
}

/// A copy, because to open a journal is to write beside it.
fn copy(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    std::fs::copy(file(name, "db"), &path).unwrap();
    (folder, path)
}

fn export(journal: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drawerbridge"));
    let ran = command.args(["journal", "export", "--journal"]).arg(journal).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
#[ignore = "makes a new fixture, once for each version that writes something new"]
fn make() {
    let (db, lines) = (file(VERSION, "db"), file(VERSION, "jsonl"));
    assert!(
        !db.exists() && !lines.exists(),
        "{} is there already, and stays as it is: see the top of this file",
        db.display()
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut at: Timestamp = "2026-11-24T06:59:00.123456789Z".parse().unwrap();
    let mut head = [0; 32];
    let mut rows = 0;
    for (n, (till, opening, events)) in story().into_iter().enumerate() {
        // A restart now and then: numbers jump.
        let mut journal = Journal::open(&path).unwrap();
        for event in events {
            at += SignedDuration::from_millis(1500);
            journal.append(at, till, (opening > 0).then(|| id(opening)).as_ref(), &event).unwrap();
            rows += 1;
        }
        head = journal.head();
        drop(journal);
        assert!(n < 100);
    }
    std::fs::create_dir_all(db.parent().unwrap()).unwrap();
    std::fs::write(&lines, export(&path)).unwrap();
    std::fs::copy(&path, &db).unwrap();
    eprintln!("Fixture {{ name: {VERSION:?}, rows: {rows}, head: {:?}, unsettled: … }}", hex(&head));
}

#[test]
fn a_journal_of_an_earlier_version_is_whole_and_every_row_reads_as_it_was_written() {
    for fixture in FIXTURES {
        let (_folder, path) = copy(fixture.name);
        let (rows, head) = journal::verify(&path).unwrap_or_else(|e| panic!("{}: {e}", fixture.name));
        assert_eq!((rows, hex(&head).as_str()), (fixture.rows, fixture.head), "{}", fixture.name);
        assert_eq!(export(&path), std::fs::read_to_string(file(fixture.name, "jsonl")).unwrap(), "{}", fixture.name);
        for row in journal::read(&path, 0, 10_000).unwrap() {
            let [stored] = &journal::stored(&path, row.seq - 1, 1).unwrap()[..] else { panic!("row {}", row.seq) };
            assert_eq!(journal::chain::Fields::of(&row), stored.fields, "written again, it would be the same");
        }
    }
}

#[test]
fn a_daemon_of_today_goes_on_from_a_journal_of_an_earlier_version() {
    for fixture in FIXTURES {
        let (_folder, path) = copy(fixture.name);
        let mut journal = Journal::open(&path).unwrap();
        let expected: Vec<OpeningId> = fixture.unsettled.iter().map(|(n, _)| id(*n)).collect();
        assert_eq!(journal.unresolved().unwrap(), expected, "{}", fixture.name);
        for (n, standing) in fixture.unsettled {
            let rows = journal.of_opening(&id(*n)).unwrap();
            let record = Record::read(&id(*n), rows.iter().map(|row| (row.at, &row.event))).unwrap();
            assert_eq!(record.standing.name(), *standing, "{} {n}", fixture.name);
            assert!(record.counted.is_some());
        }
        let settled = journal.of_opening(&id(2)).unwrap();
        let record = Record::read(&id(2), settled.iter().map(|row| (row.at, &row.event))).unwrap();
        assert!(matches!(record.standing, Standing::Confirmed { .. }) && record.shift_closed);
        let first = journal.append(Timestamp::UNIX_EPOCH, "", None, &Event::DrawerLeftOpen {}).unwrap();
        let last = journal::stored(&path, first.get().seq - 1, 1).unwrap().remove(0);
        assert_eq!(hex(&last.prev), fixture.head, "the new chain goes on from the old one");
        drop(journal);
        assert_eq!(journal::verify(&path).unwrap().0, fixture.rows + 1);
    }
}

/// So that nobody forgets to add what is new.
#[test]
fn the_story_has_every_event_that_the_newest_fixture_has() {
    let newest = FIXTURES.last().unwrap();
    let (_folder, path) = copy(newest.name);
    let of_file: std::collections::BTreeSet<_> =
        journal::read(&path, 0, 10_000).unwrap().iter().map(|row| row.event.name()).collect();
    let of_story: std::collections::BTreeSet<_> =
        story().iter().flat_map(|(_, _, events)| events.iter().map(Event::name).collect::<Vec<_>>()).collect();
    assert_eq!(of_file, of_story);
    assert_eq!(of_story.len(), EVENTS, "{of_story:?}");
}

/// How many there are. Whoever adds one meets it here, and then in [`story`].
const EVENTS: usize = 25;
const _: fn(&Event) = |event| match event {
    Event::DaemonStarted { .. }
    | Event::DrawerOpened { .. }
    | Event::DrawerClosed { .. }
    | Event::DrawerKicked { .. }
    | Event::DrawerLeftOpen {}
    | Event::PrinterStatus { .. }
    | Event::DisplayStatus { .. }
    | Event::KeypadStatus { .. }
    | Event::OpeningStarted { .. }
    | Event::OpeningCancelled { .. }
    | Event::OpeningCounted(_)
    | Event::OpeningSending { .. }
    | Event::OpeningNotSent { .. }
    | Event::OpeningUnknown { .. }
    | Event::OpeningAbsent { .. }
    | Event::OpeningConfirmed { .. }
    | Event::OpeningRefused { .. }
    | Event::OpeningNeedsAttention { .. }
    | Event::OpeningRecorded { .. }
    | Event::OpeningStale { .. }
    | Event::OpeningResolved { .. }
    | Event::SlipSending { .. }
    | Event::SlipPrinted { .. }
    | Event::SlipNotProven { .. }
    | Event::ShiftClosed { .. } => {}
};
