use super::*;
use crate::shift::event::{Counted, Money, SessionFacts};

fn at() -> Timestamp {
    "2026-11-23T07:00:00Z".parse().unwrap()
}

fn counted(device: &str) -> Event {
    let balance = Money { amount: "150.00".into(), currency: "USD".into() };
    Event::OpeningCounted(Counted {
        staff_name: "Robin".into(),
        staff_member_id: "gid://shopify/StaffMember/1".into(),
        point_of_sale_device_id: device.into(),
        reason_code_id: None,
        balance,
        lines: vec![],
        time: "2026-11-23T07:00:00Z".into(),
        note: String::new(),
    })
}

fn confirmed() -> Event {
    let counted = Money { amount: "150.00".into(), currency: "USD".into() };
    let session = SessionFacts {
        id: "gid://shopify/PointOfSaleDevicePaymentSession/1".into(),
        status: "OPEN".into(),
        opening_time: "2026-11-23T07:00:00Z".into(),
        opening_note: None,
        counted,
        expected: None,
    };
    Event::OpeningConfirmed { how: "answered".into(), session }
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
    assert_eq!(journal.of_opening(&id(7)).unwrap(), [row.into_inner()]);
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

/// Four rows, then one act of a forger who knows SQL and removes the triggers first.
fn forged(act: &str) -> JournalError {
    let desk = desk();
    let mut journal = Journal::open(&desk.path).unwrap();
    for n in 1..=4 {
        journal.append(at(), "front-1", Some(&id(n)), &counted(&format!("device-{n}"))).unwrap();
    }
    drop(journal);
    let db = Connection::open(&desk.path).unwrap();
    db.execute_batch("DROP TRIGGER event_is_never_changed; DROP TRIGGER event_is_never_deleted;").unwrap();
    db.execute_batch(act).unwrap();
    verify(&desk.path).unwrap_err()
}

#[test]
fn verify_names_the_row_that_was_edited_removed_or_moved() {
    let edited = forged("UPDATE event SET body = replace(body, '150.00', '50.00') WHERE seq = 2");
    assert!(matches!(edited, JournalError::Broken { seq: 2, .. }));
    assert!(matches!(forged("DELETE FROM event WHERE seq = 2"), JournalError::Broken { seq: 3, .. }));
    let moved = forged("UPDATE event SET seq = 9 WHERE seq = 2; UPDATE event SET seq = 2 WHERE seq = 3");
    assert!(matches!(moved, JournalError::Broken { seq: 2, .. }));
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
