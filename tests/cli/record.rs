//! The journal without a daemon: what is listed, shown and proven.
use std::path::{Path, PathBuf};

use drawerbridge::{
    journal::Journal,
    shift::event::{Counted, Event, Money, OpeningId, StartedBy},
};

use super::{Ran, run};

struct Record {
    folder: tempfile::TempDir,
}

impl Record {
    /// A journal with four events of two tills.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let record = Self { folder };
        let id = OpeningId::from_bits(7);
        let counted = Counted {
            staff_name: "Robin".to_owned(),
            staff_member_id: "gid://shopify/StaffMember/1".to_owned(),
            point_of_sale_device_id: "gid://shopify/PointOfSaleDevice/1".to_owned(),
            reason_code_id: None,
            balance: Money { amount: "150.00".to_owned(), currency: "USD".to_owned() },
            lines: vec![],
            time: "2026-11-24T07:00:00Z".to_owned(),
            note: String::new(),
        };
        record.append(&[
            ("", None, Event::DaemonStarted { version: "0.1.0".to_owned() }),
            ("front-2", None, Event::DrawerClosed { open_ms: 1200 }),
            ("front-1", Some(&id), Event::OpeningStarted { by: StartedBy::Drawer }),
            ("front-1", Some(&id), Event::OpeningCounted(counted)),
        ]);
        record
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    fn append(&self, events: &[(&str, Option<&OpeningId>, Event)]) {
        let mut journal = Journal::open(&self.file()).unwrap();
        for (n, (till, opening, event)) in events.iter().enumerate() {
            let at = format!("2026-11-24T07:00:0{n}.25Z").parse().unwrap();
            journal.append(at, till, *opening, event).unwrap();
        }
    }

    fn run(&self, args: &[&str]) -> Ran {
        run_on(&self.file(), args)
    }

    /// What `verify` calls the head.
    fn head(&self) -> String {
        self.run(&["verify", "--json"]).json()["head"].as_str().unwrap().to_owned()
    }

    /// Changes the file behind the program's back.
    fn tamper(&self, sql: &str) {
        let db = rusqlite::Connection::open(self.file()).unwrap();
        db.execute_batch("DROP TRIGGER event_is_never_changed; DROP TRIGGER event_is_never_deleted;").unwrap();
        db.execute_batch(sql).unwrap();
    }
}

fn run_on(file: &Path, args: &[&str]) -> Ran {
    run(&[&["journal"], args, &["--journal", file.to_str().unwrap()]].concat())
}

#[test]
fn events_are_listed_for_people_and_chosen_by_till_opening_and_number() {
    let record = Record::new();
    let all =
        record.run(&["list"]).ended(0, &["2026-11-24T07:00:01Z  front-2    drawer.closed            open_ms=1200"], &[]);
    assert_eq!(all.stdout.lines().count(), 4);
    let counted = record.run(&["list", "--till", "front-1", "--last", "1"]).ended(0, &["balance=\"150.00 USD\""], &[]);
    assert_eq!(counted.stdout.lines().count(), 1);
    assert!(!counted.stdout.contains('{'), "{}", counted.stdout);
    let of_opening = record.run(&["list", "--opening", "0000000007"]).ended(0, &[], &[]);
    assert_eq!(of_opening.stdout.lines().count(), 2);
    let lines = record.run(&["list", "--json", "--after", "2"]).ended(0, &[], &[]).stdout;
    for line in lines.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object(), "{line}");
    }
    record.run(&["list", "--till", "front-9"]).ended(0, &[], &[]);
}

#[test]
fn one_event_is_shown_a_field_a_line_or_as_one_json_object() {
    let record = Record::new();
    record.run(&["show", "4"]).ended(
        0,
        &["4 opening.counted  2026-11-24T07:00:03Z  front-1", "balance                    150.00 USD"],
        &[],
    );
    let json = record.run(&["show", "4", "--json"]).ended(0, &[], &[]);
    assert_eq!(json.json()["balance"]["amount"], "150.00");
    assert_eq!(json.stdout.lines().count(), 1);
    record.run(&["show", "5"]).ended(1, &[], &["no event 5"]);
}

#[test]
fn a_chain_is_proven_only_as_far_as_a_head_noted_earlier_reaches() {
    let record = Record::new();
    let noted = record.head();
    record.run(&["verify"]).ended(0, &["4 events, none changed or moved up to event 4", &noted, "--head HEX"], &[]);
    record.run(&["verify", "--head", &noted.to_uppercase()]).ended(0, &["nothing is missing, and nothing came after"], &[]);

    // More came: the head that was noted is still in the chain.
    record.append(&[("front-1", None, Event::DrawerLeftOpen {})]);
    let found = record.run(&["verify", "--json", "--head", &noted]).ended(0, &[], &[]).json();
    assert_eq!((&found["ok"], &found["rows"], &found["head_found_at"]), (&true.into(), &5.into(), &4.into()));
    record.run(&["verify", "--head", &noted]).ended(0, &["the head that was given is event 4"], &[]);

    // Cut off at the end, the rest is a valid chain; only the head tells.
    let newest = record.head();
    record.tamper("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)");
    record.run(&["verify"]).ended(0, &["4 events"], &[]);
    record.run(&["verify", "--head", &newest]).ended(1, &[], &["no event has the head that was given", "cut off"]);
    let json = record.run(&["verify", "--json", "--head", &newest]).ended(1, &[], &["cut off"]).json();
    assert_eq!((&json["ok"], &json["head_found_at"]), (&false.into(), &serde_json::Value::Null));
}

#[test]
fn a_changed_event_is_found_and_told_on_both_streams() {
    let record = Record::new();
    record.tamper("UPDATE event SET body = replace(body, '150.00', '950.00') WHERE seq = 4");
    record.run(&["verify"]).ended(1, &[], &["row 4", "does not fit its hash"]);
    let json = record.run(&["verify", "--json"]).ended(1, &[], &["row 4"]).json();
    assert!(json["error"].as_str().unwrap().contains("row 4") && json["ok"] == false, "{json}");
}

#[test]
fn what_is_no_journal_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    run_on(&folder.path().join("none.db"), &["verify"]).ended(1, &[], &["none.db"]);
    let text = folder.path().join("letter.txt");
    std::fs::write(&text, "Dear Robin, this is a letter and no journal at all.").unwrap();
    for args in [&["verify"][..], &["list"], &["show", "1"]] {
        run_on(&text, args).ended(1, &[], &["letter.txt"]);
    }
}
