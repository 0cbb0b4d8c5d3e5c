use super::*;
use crate::shift::event::{
    Counted, Money,
    sample::{self, confirmed},
};

fn at() -> Timestamp {
    "2026-11-23T07:00:00Z".parse().unwrap()
}

fn counted(device: &str) -> Event {
    let balance = Money { amount: "150.00".into(), currency: "USD".into() };
    Event::OpeningCounted(Counted { point_of_sale_device_id: device.into(), balance, ..sample::counted() })
}

fn id(n: u64) -> OpeningId {
    OpeningId::from_bits(n)
}

struct Desk {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn desk() -> Desk {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    Desk { _dir: dir, path }
}

#[test]
fn what_was_appended_is_there_after_a_restart_and_numbers_go_on_rising() {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    let row = journal.append(at(), "front-1", Some(&id(7)), &counted("device-1")).unwrap();
    assert_eq!(row.get().seq, 1);
    drop(journal);
    let mut journal = Journal::open(&desk.path).unwrap();
    assert_eq!(journal.of_opening(&id(7)).unwrap(), [Row::clone(row.get())]);
    assert_eq!(journal.unresolved().unwrap(), [id(7)]);
    let next = journal.append(at(), "front-1", Some(&id(7)), &confirmed()).unwrap();
    assert_eq!(next.get().seq, 2 * SEQ_GAP);
    assert_eq!(journal.unresolved().unwrap(), []);
    assert_eq!(journal.rows_after(1, 10).unwrap().len(), 1);
    assert_eq!(verify(&desk.path).unwrap(), (2, journal.head()));
}

#[test]
fn a_second_daemon_is_refused() {
    let desk = desk();
    let _first = Journal::open(&desk.path).unwrap();
    assert!(matches!(Journal::open(&desk.path), Err(JournalError::Busy { .. })));
}

#[test]
fn one_device_has_one_unresolved_opening_and_the_refused_one_leaves_no_row() {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    journal.append(at(), "front-1", Some(&id(1)), &counted("device-1")).unwrap();
    let refused = journal.append(at(), "front-1", Some(&id(2)), &counted("device-1"));
    assert!(matches!(refused, Err(JournalError::Unresolved { .. })));
    assert_eq!(journal.of_opening(&id(2)).unwrap(), []);
    journal.append(at(), "back-1", Some(&id(3)), &counted("device-2")).unwrap();
    journal.append(at(), "front-1", Some(&id(1)), &confirmed()).unwrap();
    journal.append(at(), "front-1", Some(&id(2)), &counted("device-1")).unwrap();
    assert_eq!(verify(&desk.path).unwrap().0, 4);
}

#[test]
fn rows_cannot_be_changed_or_deleted_through_sql() {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    journal.append(at(), "", None, &Event::DrawerLeftOpen {}).unwrap();
    assert!(journal.db.execute("UPDATE event SET till = 'x'", []).is_err());
    assert!(journal.db.execute("DELETE FROM event", []).is_err());
}

/// Five rows, then one act of a forger who knows SQL and removes the triggers first: what is found, in words.
fn forged(act: &str) -> Vec<(Wrong, Option<i64>, String)> {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    for n in 1..=5 {
        journal.append(at(), "front-1", Some(&id(n)), &counted(&format!("device-{n}"))).unwrap();
    }
    drop(journal);
    let db = Connection::open(&desk.path).unwrap();
    db.execute_batch("DROP TRIGGER event_is_never_changed; DROP TRIGGER event_is_never_deleted;").unwrap();
    db.execute_batch(act).unwrap();
    let report = examine(&desk.path, |_, _| {}).unwrap();
    assert!(verify(&desk.path).is_err(), "{act}");
    report.findings.into_iter().map(|f| (f.wrong, f.seq, f.text)).collect()
}

/// The same, without what follows for the table of unsettled openings.
fn in_the_chain(act: &str) -> Vec<(Wrong, i64)> {
    let chain = forged(act).into_iter().filter(|(wrong, ..)| *wrong != Wrong::Unresolved);
    chain.map(|(wrong, seq, _)| (wrong, seq.unwrap())).collect()
}

#[test]
fn verify_names_the_row_that_was_edited_removed_or_moved() {
    use Wrong::{Edited, Moved, Removed};
    for (act, expected) in [
        ("UPDATE event SET body = replace(body, '150.00', '50.00') WHERE seq = 2", &[(Edited, 2)][..]),
        ("UPDATE event SET at = '2026-11-24T07:00:00Z' WHERE seq IN (2, 5)", &[(Edited, 2), (Edited, 5)]),
        ("UPDATE event SET hash = randomblob(32) WHERE seq = 3", &[(Edited, 3)]),
        ("UPDATE event SET hash = x'00' WHERE seq = 5", &[(Edited, 5)]),
        ("UPDATE event SET prev = randomblob(32) WHERE seq = 3", &[(Edited, 3)]),
        ("DELETE FROM event WHERE seq = 2", &[(Removed, 2)]),
        ("DELETE FROM event WHERE seq IN (2, 3)", &[(Removed, 4)]),
        ("DELETE FROM event WHERE seq = 1", &[(Removed, 1)]),
        ("DELETE FROM event WHERE seq = 1; DELETE FROM event WHERE seq = 3", &[(Removed, 1), (Removed, 3)]),
        // Two rows change places.
        (
            "UPDATE event SET seq = 9 WHERE seq = 2; UPDATE event SET seq = 2 WHERE seq = 3;
             UPDATE event SET seq = 3 WHERE seq = 9",
            &[(Moved, 2), (Moved, 3)],
        ),
        // One is put behind all others.
        ("UPDATE event SET seq = 9 WHERE seq = 2", &[(Moved, 9)]),
        // One is gone, and those behind it close the gap.
        (
            "DELETE FROM event WHERE seq = 3; UPDATE event SET seq = 3 WHERE seq = 4; UPDATE event SET seq = 4 WHERE seq = 5",
            &[(Edited, 2), (Moved, 3), (Moved, 4)],
        ),
        ("UPDATE event SET seq = 12 WHERE seq = 5", &[(Moved, 12)]),
    ] {
        assert_eq!(in_the_chain(act), expected, "{act}");
    }
    let (_, _, text) = &forged("DELETE FROM event WHERE seq = 2")[0];
    assert_eq!(text, "row 2 was removed");
    let (_, _, text) = &forged("DELETE FROM event WHERE seq IN (2, 3)")[0];
    assert_eq!(text, "one row or more between 1 and 4 were removed");
    let (_, _, text) = &forged("UPDATE event SET seq = 9 WHERE seq = 2")[0];
    assert_eq!(text, "row 9 was moved: it was written as row 2");
}

#[test]
fn the_table_of_unsettled_openings_must_say_what_the_rows_say() {
    let lacking = forged("DELETE FROM unresolved WHERE device = 'device-2'");
    assert_eq!(lacking.len(), 1);
    assert_eq!(
        (lacking[0].0, lacking[0].2.contains("device-2: the opening 0000000002 is not settled")),
        (Wrong::Unresolved, true)
    );
    let another = forged("UPDATE unresolved SET opening = '0000000009' WHERE device = 'device-4'");
    assert!(another[0].2.contains("leave 0000000004 unsettled") && another[0].2.contains("says 0000000009"), "{another:?}");
    let invented = forged("INSERT INTO unresolved VALUES ('device-9', '0000000009')");
    assert!(invented[0].2.contains("has 0000000009, which the rows do not"), "{invented:?}");
    let gone = forged("DROP TABLE unresolved");
    assert!(gone[0].2.contains("cannot be read"), "{gone:?}");
    // A person wants it recorded after all: it holds its device's place again, by the count of before.
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    let by = || "Kim".to_owned();
    let resolved = Event::OpeningResolved { by: by(), why: by(), decision: Decision::RecordCount, session: None };
    for event in [counted("device-1"), confirmed(), resolved] {
        journal.append(at(), "front-1", Some(&id(1)), &event).unwrap();
    }
    assert_eq!(journal.unresolved().unwrap(), [id(1)]);
    assert_eq!(verify(&desk.path).unwrap(), (3, journal.head()));
    drop(journal);
    drop(Journal::open(&desk.path).unwrap());
    // Settled openings hold no place.
    let desk = self::desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    journal.append(at(), "front-1", Some(&id(1)), &counted("device-1")).unwrap();
    journal.append(at(), "front-1", Some(&id(1)), &confirmed()).unwrap();
    journal.append(at(), "front-1", Some(&id(2)), &counted("device-1")).unwrap();
    assert_eq!(verify(&desk.path).unwrap(), (3, journal.head()), "beside the one that writes, too");
}

#[test]
fn an_event_of_a_newer_program_is_whole_and_said_to_be_unreadable() {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    journal.append(at(), "front-1", None, &Event::DrawerLeftOpen {}).unwrap();
    let fields = chain::Fields {
        seq: 2,
        at: at().to_string(),
        till: String::new(),
        opening: None,
        name: "drawer.painted".to_owned(),
        body: r#"{"name":"drawer.painted"}"#.to_owned(),
    };
    let hash = chain::link(&journal.head(), &fields);
    insert(&journal.db, &fields, &journal.head(), &hash).unwrap();
    let report = examine(&desk.path, |_, _| {}).unwrap();
    assert_eq!((report.rows, report.head), (2, hash));
    let [finding] = &report.findings[..] else { panic!("{report:?}") };
    assert_eq!((finding.wrong, finding.seq), (Wrong::Unreadable, Some(2)));
    assert!(finding.text.contains("drawer.painted"), "{finding}");
}

#[test]
fn the_short_form_of_a_hash_is_its_beginning() {
    let hash: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).unwrap() + 0xA0);
    assert_eq!(chain::short(&hash), "a0a1-a2a3-a4a5-a6a7");
    assert!(chain::hex(&hash).starts_with(&chain::short(&hash).replace('-', "")));
}

#[test]
fn a_newer_or_foreign_file_is_refused_and_not_a_byte_of_it_changes() {
    let desk = desk();
    drop(Journal::open(&desk.path).unwrap());
    Connection::open(&desk.path).unwrap().pragma_update(None, "user_version", SCHEMA + 1).unwrap();
    let before = std::fs::read(&desk.path).unwrap();
    assert!(matches!(Journal::open(&desk.path), Err(JournalError::Newer { found: 2, .. })));
    assert_eq!(std::fs::read(&desk.path).unwrap(), before);
    std::fs::write(&desk.path, b"this is a letter, and it is long enough to be read as a database header by anyone")
        .unwrap();
    assert!(matches!(Journal::open(&desk.path), Err(JournalError::Foreign { .. })));
    assert!(std::fs::read(&desk.path).unwrap().starts_with(b"this is a letter"));
}

/// Every file of a journal that was left as by a power cut, with its content.
fn left(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap());
    let kept = files.filter(|f| !f.file_name().to_string_lossy().ends_with("-shm"));
    kept.map(|f| (f.file_name().into_string().unwrap(), std::fs::read(f.path()).unwrap())).collect()
}

#[test]
fn a_newer_journal_whose_last_pages_are_still_in_its_log_is_refused_and_neither_file_changes() {
    let live = desk();
    drop(Journal::open(&live.path).unwrap());
    let db = Connection::open(&live.path).unwrap();
    db.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
    // Copied while it is open: what a power cut leaves.
    let cut = desk();
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(&live.path, &cut.path).unwrap();
    std::fs::copy(log(&live.path), log(&cut.path)).unwrap();
    assert!(std::fs::metadata(log(&cut.path)).unwrap().len() > 0);
    let folder = cut.path.parent().unwrap();
    let mut before = left(folder);
    assert!(matches!(Journal::open(&cut.path), Err(JournalError::Newer { found: 2, .. })));
    before.insert("journal.db.lock".to_owned(), vec![]);
    assert_eq!(left(folder), before);
    assert!(matches!(read(&cut.path, 0, 10), Err(JournalError::Newer { .. })));
    assert!(matches!(verify(&cut.path), Err(JournalError::Newer { .. })));
    assert_eq!(left(folder), before);
}

#[test]
fn rows_in_a_log_that_a_power_cut_left_are_there_after_the_restart() {
    let live = desk();
    let mut journal = Journal::open(&live.path).unwrap();
    journal.append(at(), "front-1", Some(&id(1)), &counted("device-1")).unwrap();
    let cut = desk();
    for end in ["", "-wal"] {
        std::fs::copy(format!("{}{end}", live.path.display()), format!("{}{end}", cut.path.display())).unwrap();
    }
    let again = Journal::open(&cut.path).unwrap();
    assert_eq!(again.head(), journal.head());
    assert_eq!(again.unresolved().unwrap(), [id(1)]);
}

#[test]
fn a_first_start_that_was_cut_short_is_made_up_for_and_no_other_file_is_rolled_back() {
    // Page 1 as `journal_mode = WAL` writes it, and beside it the rollback journal of an interrupted transaction.
    let cut = |pages_before: u8| {
        let desk = desk();
        let mode: String =
            Connection::open(&desk.path).unwrap().query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)).unwrap();
        assert_eq!(mode, "wal");
        let mut journal = vec![0; 512];
        journal[..8].copy_from_slice(&[0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7]);
        journal[19] = pages_before;
        journal[22] = 2; // 512-byte sectors
        journal[26] = 0x10; // 4096-byte pages
        std::fs::write(format!("{}-journal", desk.path.display()), journal).unwrap();
        desk
    };
    let desk = cut(0);
    let mut journal = Journal::open(&desk.path).unwrap();
    journal.append(at(), "front-1", Some(&id(1)), &counted("device-1")).unwrap();
    assert_eq!(verify(&desk.path).unwrap(), (1, journal.head()));
    let desk = cut(1);
    let before = left(desk.path.parent().unwrap());
    assert!(Journal::open(&desk.path).is_err());
    let mut after = left(desk.path.parent().unwrap());
    after.remove("journal.db.lock");
    assert_eq!(after, before);
}

#[test]
fn the_lock_belongs_to_the_file_and_not_to_its_spelling() {
    let desk = desk();
    let folder = desk.path.parent().unwrap().to_owned();
    let link = folder.join("link.db");
    std::os::unix::fs::symlink(&desk.path, &link).unwrap();
    // The first start may come by the link, before there is a file.
    let first = Journal::open(&link).unwrap();
    assert!(desk.path.exists());
    let detour = folder.join("..").join(folder.file_name().unwrap()).join("journal.db");
    for same in [&desk.path, &link, &detour] {
        assert!(matches!(Journal::open(same), Err(JournalError::Busy { .. })), "{}", same.display());
    }
    // And a neighbour with the same stem is another journal.
    drop(Journal::open(&folder.join("journal.sqlite")).unwrap());
    drop(first);
    drop(Journal::open(&desk.path).unwrap());
}

#[test]
fn an_append_that_fails_leaves_nothing_and_the_chain_goes_on_when_there_is_room_again() {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    journal.append(at(), "front-1", Some(&id(1)), &counted("device-1")).unwrap();
    let pages: i64 = journal.db.query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap();
    let limit = |journal: &Journal, pages: i64| {
        let set: i64 = journal.db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |r| r.get(0)).unwrap();
        assert_eq!(set, pages);
    };
    limit(&journal, pages);
    let big = Event::PrinterStatus { status: "x".repeat(50_000) };
    let head = journal.head();
    let next = journal.next_seq();
    for _ in 0..3 {
        assert!(matches!(journal.append(at(), "front-1", None, &big), Err(JournalError::Full)));
    }
    assert_eq!((journal.head(), journal.next_seq()), (head, next));
    limit(&journal, 1_000_000);
    journal.append(at(), "front-1", None, &big).unwrap();
    // Another program holds the file for a while.
    let other = Connection::open(&desk.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    journal.db.busy_timeout(std::time::Duration::ZERO).unwrap();
    let refused = journal.append(at(), "front-1", Some(&id(1)), &confirmed());
    assert!(matches!(refused, Err(JournalError::Write(_))), "{refused:?}");
    assert_eq!(journal.unresolved().unwrap(), [id(1)], "what failed has freed nothing");
    other.execute_batch("ROLLBACK").unwrap();
    journal.append(at(), "front-1", Some(&id(1)), &confirmed()).unwrap();
    assert_eq!(verify(&desk.path).unwrap(), (3, journal.head()));
}

#[test]
fn nothing_is_appended_behind_a_row_that_another_program_wrote() {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    journal.append(at(), "", None, &Event::DrawerLeftOpen {}).unwrap();
    let other = Connection::open(&desk.path).unwrap();
    let row = "INSERT INTO event SELECT seq + 1, at, till, opening, name, body, hash, prev FROM event";
    other.execute_batch(row).unwrap();
    let refused = journal.append(at(), "", None, &Event::DrawerLeftOpen {});
    assert!(matches!(refused, Err(JournalError::Broken { seq: 2, .. })), "{refused:?}");
    let rows: i64 = other.query_row("SELECT count(*) FROM event", [], |r| r.get(0)).unwrap();
    assert_eq!(rows, 2);
}

#[test]
fn numbers_leave_room_for_what_was_told_and_never_written() {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    let row = Row { seq: SEQ_GAP - 1, at: at(), till: String::new(), opening: None, event: Event::DrawerLeftOpen {} };
    journal.append_rows(&[Arc::new(row)]).unwrap();
    drop(journal);
    assert!(Journal::open(&desk.path).unwrap().next_seq() > SEQ_GAP - 1 + SEQ_GAP);
}

#[test]
fn a_fault_says_what_happened_and_whether_waiting_helps() {
    let sqlite = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
    let said = |e: &JournalError| (e.to_string(), e.is_temporary());
    use rusqlite::ffi;
    for full in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
        for error in [JournalError::from(sqlite(full)), JournalError::writing(sqlite(full))] {
            let (text, temporary) = said(&error);
            assert!(text.contains("disk is full") && temporary, "{text}");
        }
    }
    let (text, temporary) = said(&JournalError::from(sqlite(ffi::SQLITE_READONLY_DIRECTORY)));
    assert!(text.contains("read-only") && temporary, "{text}");
    let (text, temporary) = said(&JournalError::from(sqlite(ffi::SQLITE_IOERR_READ)));
    assert!(text.contains("could not be read") && !temporary, "{text}");
    let (text, _) = said(&JournalError::writing(sqlite(ffi::SQLITE_IOERR_WRITE)));
    assert!(text.contains("could not be written"), "{text}");
    let path = Path::new("/j");
    assert!(matches!(JournalError::file(path, std::io::Error::from_raw_os_error(28)), JournalError::Full), "ENOSPC");
    assert!(matches!(JournalError::file(path, std::io::Error::from_raw_os_error(30)), JournalError::ReadOnly), "EROFS");
    assert!(matches!(JournalError::file(path, std::io::Error::from_raw_os_error(13)), JournalError::Io { .. }), "EACCES");
}

#[test]
fn a_till_that_was_renamed_still_has_its_openings() {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    journal.append(at(), "old name", Some(&id(1)), &counted("device-1")).unwrap();
    journal.append(at(), "old name", Some(&id(1)), &confirmed()).unwrap();
    journal.append(at(), "other", Some(&id(2)), &counted("device-2")).unwrap();
    assert_eq!(journal.openings_of("new name", 8).unwrap(), []);
    assert_eq!(journal.counted_of_device("new name", "device-1", 8).unwrap(), [id(1)]);
}

#[test]
fn openings_that_were_given_up_before_a_count_push_no_count_out_of_sight() {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    journal.append(at(), "front-1", Some(&id(1)), &counted("device-1")).unwrap();
    for n in 2..20 {
        journal
            .append(at(), "front-1", Some(&id(n)), &Event::OpeningStarted { by: crate::shift::event::StartedBy::Drawer })
            .unwrap();
        journal.append(at(), "front-1", Some(&id(n)), &Event::OpeningCancelled { why: "no key".into() }).unwrap();
    }
    assert_eq!(journal.openings_of("front-1", 1).unwrap(), [id(19)]);
    assert_eq!(journal.counted_of_device("front-1", "device-1", 8).unwrap(), [id(1)]);
}

/// Figures for `damage.rs`: `cargo test --release -p drawerbridge --lib how_long_a_start_takes -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and asserts nothing a slow machine could fail"]
fn how_long_a_start_takes() {
    for rows in [0, 10_000, 100_000] {
        let desk = desk();
        let mut journal = Journal::open(&desk.path).unwrap();
        let event = |n: i64| match n % 4 {
            0 => (Some(id(n.unsigned_abs() / 4)), counted("device-1")),
            1 => (Some(id(n.unsigned_abs() / 4)), confirmed()),
            _ => (None, Event::DrawerOpened { by: "key".to_owned() }),
        };
        for from in (0..rows).step_by(1000) {
            let row = |n: i64| {
                let (opening, event) = event(n);
                Arc::new(Row { seq: n + 1, at: at(), till: "front-1".to_owned(), opening, event })
            };
            journal.append_rows(&(from..from + 1000).map(row).collect::<Vec<_>>()).unwrap();
        }
        drop(journal);
        let begun = crate::clock::now();
        drop(Journal::open(&desk.path).unwrap());
        let opened = begun.elapsed();
        let begun = crate::clock::now();
        assert_eq!(verify(&desk.path).unwrap().0, rows.unsigned_abs());
        let size = std::fs::metadata(&desk.path).unwrap().len() >> 10;
        eprintln!("{rows} rows, {size} KiB: open {opened:?}, verify {:?}", begun.elapsed());
    }
}
