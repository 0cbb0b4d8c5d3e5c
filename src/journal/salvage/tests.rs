//! A journal that is damaged in every way that can be thought of: it stays as it is, and what is whole is saved from it.
use std::time::Duration;

use super::*;
use crate::{
    clock,
    journal::{Journal, examine, read},
    opening::{BusinessDay, Input, OnForeign, Opening, Output, Rules, SharedDrawer, Waits, WallClock, variables},
    shift::event::sample::{self, confirmed},
};

fn at() -> Timestamp {
    "2026-11-23T07:00:00Z".parse().unwrap()
}

fn id(n: u64) -> OpeningId {
    OpeningId::from_bits(n)
}

fn counted(device: u32) -> Event {
    let point_of_sale_device_id = format!("gid://shopify/PointOfSaleDevice/{device}");
    Event::OpeningCounted(crate::shift::event::Counted { point_of_sale_device_id, ..sample::counted() })
}

fn sending(n: u64) -> Event {
    let variables = variables(&id(n), &sample::counted(), WallClock::Trusted);
    Event::OpeningSending { attempt: 1, variables, into: None, preflight: None }
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// A journal with these events, closed.
    fn with(events: &[(u64, Event)]) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        let mut journal = Journal::open(&desk.path()).unwrap();
        for (n, event) in events {
            let opening = (*n > 0).then(|| id(*n));
            journal.append(at(), "front-1", opening.as_ref(), event).unwrap();
        }
        desk
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    fn sql(&self, act: &str) {
        let db = Connection::open(self.path()).unwrap();
        db.execute_batch("DROP TRIGGER event_is_never_changed; DROP TRIGGER event_is_never_deleted;").unwrap();
        db.execute_batch(act).unwrap();
    }

    /// Overwrites a page, as a bad disk does.
    fn spoil(&self, page: usize) {
        let mut bytes = std::fs::read(self.path()).unwrap();
        bytes[page * 4096..(page + 1) * 4096].fill(0xA5);
        std::fs::write(self.path(), bytes).unwrap();
    }

    fn copies(&self) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.to_str().unwrap().contains(".quarantine-")).collect()
    }

    /// It does not start, twice; not a byte changes; there is one copy, which is the same.
    #[track_caller]
    fn is_kept_and_refused(&self) -> String {
        let before = std::fs::read(self.path()).unwrap();
        let mut said = String::new();
        for _ in 0..2 {
            let refused = Journal::open(&self.path()).unwrap_err();
            assert!(matches!(refused, JournalError::Damaged { .. }), "{refused:?}");
            assert!(!refused.is_temporary());
            said = refused.to_string();
        }
        assert_eq!(std::fs::read(self.path()).unwrap(), before);
        let copies: Vec<_> = self.copies().into_iter().filter(|c| !c.to_str().unwrap().ends_with("-wal")).collect();
        let [copy] = &copies[..] else { panic!("{copies:?}") };
        assert_eq!(std::fs::read(copy).unwrap(), before);
        assert!(said.contains(copy.to_str().unwrap()) && said.contains("journal salvage"), "{said}");
        said
    }

    fn events(&self) -> Vec<(i64, &'static str)> {
        read(&self.path(), 0, 1000).unwrap().iter().map(|row| (row.seq, row.event.name())).collect()
    }

    /// What the till would do first with an unsettled opening.
    fn first_step(&self, opening: u64) -> Vec<Output> {
        let journal = Journal::open(&self.path()).unwrap();
        assert_eq!(journal.unresolved().unwrap(), [id(opening)]);
        let events: Vec<Event> = journal.of_opening(&id(opening)).unwrap().into_iter().map(|row| row.event).collect();
        let waits = Waits {
            quiet_period: Duration::from_secs(1),
            read_every: Duration::from_secs(1),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(1),
        };
        let rules = Rules {
            shared_drawer: SharedDrawer::Deny,
            on_foreign_session: OnForeign::Ask,
            max_age: Duration::from_secs(3600),
            business_day: BusinessDay { zone: jiff::tz::TimeZone::UTC, starts: jiff::civil::time(4, 0, 0, 0) },
        };
        let now = clock::now();
        Opening::resume(id(opening), &events, waits, &rules, now).unwrap().handle(now, Input::Go)
    }
}

fn left_open(rows: usize) -> Vec<(u64, Event)> {
    vec![(0, Event::PrinterStatus { status: "x".repeat(300) }); rows]
}

#[test]
fn a_damaged_page_a_cut_file_and_a_lost_file_are_left_alone_and_copied_once() {
    let desk = Desk::with(&left_open(100));
    desk.spoil(5);
    let said = desk.is_kept_and_refused();
    assert!(said.contains("is damaged: "), "{said}");

    let desk = Desk::with(&left_open(100));
    let file = File::options().write(true).open(desk.path()).unwrap();
    file.set_len(5 * 4096).unwrap();
    desk.is_kept_and_refused();

    // The header itself: only the mark is left.
    let desk = Desk::with(&left_open(3));
    let mut bytes = std::fs::read(desk.path()).unwrap();
    bytes[..60].fill(0);
    std::fs::write(desk.path(), bytes).unwrap();
    desk.is_kept_and_refused();
    assert!(matches!(salvage(&desk.path(), at()), Err(SalvageError::Journal(JournalError::Foreign { .. }))));

    // Emptied, with rows in the log: SQLite would begin anew and remove it.
    let desk = Desk::with(&left_open(3));
    let keeps_the_log = Connection::open(desk.path()).unwrap();
    keeps_the_log.execute_batch("CREATE TABLE t (x)").unwrap();
    let log = beside(&desk.path(), "-wal");
    let rows_in_it = std::fs::read(&log).unwrap();
    assert!(!rows_in_it.is_empty());
    drop(File::create(desk.path()).unwrap());
    let said = desk.is_kept_and_refused();
    assert!(said.contains("it is empty, and the log beside it is not"), "{said}");
    assert_eq!(std::fs::read(&log).unwrap(), rows_in_it);
    assert_eq!(
        std::fs::read(desk.copies().iter().find(|c| c.to_str().unwrap().ends_with("-wal")).unwrap()).unwrap(),
        rows_in_it
    );
}

#[test]
fn a_chain_that_does_not_hold_among_the_newest_rows_keeps_the_daemon_from_starting() {
    for (act, what) in [
        ("UPDATE event SET body = replace(body, '150.00', '50.00') WHERE seq = 1", "row 1 does not fit its hash"),
        ("DELETE FROM event WHERE seq = 2", "row 3 does not continue"),
        ("DELETE FROM event WHERE seq = 1", "rows before 2 are missing"),
        ("DELETE FROM unresolved", "unsettled openings does not say what the rows say of 0000000002"),
        ("UPDATE unresolved SET opening = '0000000001'", "unsettled openings does not say"),
        ("INSERT INTO unresolved VALUES ('x', '0000000001')", "unsettled openings does not say"),
        ("DROP TABLE unresolved", "no such table: unresolved"),
    ] {
        let desk = Desk::with(&[(1, counted(1)), (1, confirmed()), (2, counted(1)), (2, sending(2))]);
        desk.sql(act);
        let said = desk.is_kept_and_refused();
        assert!(said.contains(what), "{act}: {said}");
    }
}

#[test]
fn what_is_no_journal_of_ours_gets_no_copy() {
    let desk = Desk { folder: tempfile::tempdir().unwrap() };
    std::fs::write(desk.path(), "this is a letter, and it is long enough to be read as a header of a database by anyone")
        .unwrap();
    assert!(matches!(Journal::open(&desk.path()), Err(JournalError::Foreign { .. })));
    assert!(desk.copies().is_empty());
}

#[test]
fn a_count_whose_sending_was_lost_is_read_at_shopify_and_not_sent() {
    let desk = Desk::with(&[(1, counted(1)), (1, sending(1)), (0, Event::DrawerLeftOpen {})]);
    desk.sql("UPDATE event SET body = 'lost' WHERE seq = 2");
    desk.is_kept_and_refused();
    let salvaged = salvage(&desk.path(), at()).unwrap();
    assert_eq!((salvaged.kept, &salvaged.unsettled[..]), (2, &[id(1)][..]));
    assert!(salvaged.lost[0].contains("row 2 was edited"), "{:?}", salvaged.lost);
    assert_eq!(salvaged.copy.as_ref(), desk.copies().first());
    let expected = [(1, "opening.counted"), (3, "drawer.left_open"), (2 * SEQ_GAP, "opening.unknown")];
    assert_eq!(desk.events(), expected);
    assert_eq!(verify(&desk.path()).unwrap(), (3, salvaged.head));
    let device = sample::counted().point_of_sale_device_id;
    assert_eq!(desk.first_step(1), [Output::ReadSessions { device }]);
    let rows = read(&desk.path(), 3, 1).unwrap();
    assert_eq!((rows[0].till.as_str(), rows[0].opening.clone()), ("front-1", Some(id(1))));
    // The old one is as it was.
    assert_eq!(examine(&desk.copies()[0], |_, _| {}).unwrap().findings[0].seq, Some(2));
}

#[test]
fn rows_on_both_sides_of_damaged_pages_are_saved() {
    let mut events = left_open(300);
    events.insert(10, (1, counted(1)));
    events.insert(290, (1, confirmed()));
    events.push((2, counted(1)));
    let desk = Desk::with(&events);
    desk.spoil(9);
    desk.spoil(10);
    desk.spoil(15);
    desk.is_kept_and_refused();
    let new = desk.folder.path().join("new.db");
    let salvaged = salvage_to(&desk.path(), &new, at()).unwrap();
    assert!((240..300).contains(&salvaged.kept), "{salvaged:?}");
    let gaps: Vec<_> = salvaged.lost.iter().filter(|text| text.contains("cannot be read")).collect();
    assert!(gaps.len() >= 2, "{:?}", salvaged.lost);
    assert_eq!((salvaged.unsettled, salvaged.ended_unknown), (vec![id(2)], vec![]));
    assert_eq!(verify(&new).unwrap().0, salvaged.kept + 1);
    assert_eq!(salvaged.copy, None, "nothing was put in its place");
    assert!(Journal::open(&desk.path()).is_err());
    let again = salvage_to(&desk.path(), &new, at());
    assert!(matches!(again, Err(SalvageError::Exists { .. })), "{again:?}");
}

#[test]
fn an_opening_whose_end_is_lost_frees_its_place_for_the_later_one_and_a_person_is_told() {
    let desk = Desk::with(&[(1, counted(1)), (1, sending(1)), (1, confirmed()), (2, counted(1)), (2, confirmed())]);
    desk.sql("DELETE FROM event WHERE seq = 3");
    let salvaged = salvage(&desk.path(), at()).unwrap();
    assert_eq!((salvaged.kept, &salvaged.ended_unknown[..], salvaged.unsettled.len()), (4, &[id(1)][..], 0));
    assert_eq!(desk.events()[2], (3, "opening.needs_attention"), "where the lost row stood");
    assert_eq!(verify(&desk.path()).unwrap(), (5, salvaged.head));
    assert_eq!(Journal::open(&desk.path()).unwrap().unresolved().unwrap(), []);
}

#[test]
fn an_opening_whose_count_is_lost_is_named() {
    let desk = Desk::with(&[(1, counted(1)), (1, sending(1))]);
    desk.sql("DELETE FROM event WHERE seq = 1");
    let salvaged = salvage(&desk.path(), at()).unwrap();
    assert_eq!((salvaged.without_count, salvaged.unsettled), (vec![id(1)], vec![]));
    Journal::open(&desk.path()).unwrap();
}

#[test]
fn a_whole_journal_and_one_in_use_are_not_touched() {
    let desk = Desk::with(&[(1, counted(1))]);
    let before = std::fs::read(desk.path()).unwrap();
    assert!(matches!(salvage(&desk.path(), at()), Err(SalvageError::Whole { .. })));
    let journal = Journal::open(&desk.path()).unwrap();
    assert!(matches!(salvage(&desk.path(), at()), Err(SalvageError::Journal(JournalError::Busy { .. }))));
    drop(journal);
    assert_eq!(std::fs::read(desk.path()).unwrap(), before);
    assert!(matches!(
        salvage(&desk.folder.path().join("none.db"), at()),
        Err(SalvageError::Journal(JournalError::Missing { .. }))
    ));
}

#[test]
fn a_salvage_that_was_cut_short_is_finished_before_the_daemon_starts() {
    let desk = Desk::with(&[(1, counted(1)), (1, sending(1)), (0, Event::DrawerLeftOpen {})]);
    desk.sql("DELETE FROM event WHERE seq = 2");
    // As far as it comes before the last step: the old journal has lost its log and its copy is made.
    let whole = beside(&desk.path(), SALVAGED);
    let written = salvage_to(&desk.path(), &whole, at()).unwrap();
    assert!(matches!(Journal::open(&desk.path()), Err(JournalError::Salvaging { .. })));
    let finished = salvage(&desk.path(), at()).unwrap();
    assert_eq!((finished.kept, finished.head), (written.kept + 1, written.head));
    assert!(!whole.exists());
    assert_eq!(Journal::open(&desk.path()).unwrap().unresolved().unwrap(), [id(1)]);
    // Cut short earlier, it begins anew.
    let desk = Desk::with(&[(1, counted(1)), (1, sending(1)), (0, Event::DrawerLeftOpen {})]);
    desk.sql("DELETE FROM event WHERE seq = 2");
    std::fs::write(beside(&desk.path(), ".salvaged.part"), "half").unwrap();
    assert_eq!(salvage(&desk.path(), at()).unwrap().kept, 2);
}
