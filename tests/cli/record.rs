//! The journal without a daemon: what is listed, shown and proven.
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

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
    record.run(&["verify"]).ended(0, &["4 events, none edited, removed or moved up to event 4", &noted, "--head HEX"], &[]);
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
fn a_head_is_taken_as_a_slip_shows_it_if_it_can_mean_only_one_event() {
    let record = Record::new();
    let noted = record.head();
    let fours: Vec<&str> = (0..4).map(|n| &noted[n * 4..n * 4 + 4]).collect();
    for short in [fours.join("-"), fours.join(" ").to_uppercase(), noted[..8].to_owned()] {
        record.run(&["verify", "--head", &short]).ended(0, &["it is the head that was given", &fours.join("-")], &[]);
    }
    let other = if noted.starts_with('0') { "1" } else { "0" };
    record.run(&["verify", "--head", &format!("{other}{}", &noted[1..9])]).ended(1, &[], &["no event has the head"]);
    for no_head in [&noted[..7], "3fa9-c1d2-77e0-xyz1", "", &format!("{noted}0")] {
        record.run(&["verify", "--head", no_head]).ended(2, &[], &["8 to 64 digits"]);
    }
}

#[test]
fn a_changed_event_is_found_and_told_on_both_streams() {
    let record = Record::new();
    record.tamper("UPDATE event SET body = replace(body, '150.00', '950.00') WHERE seq = 4");
    record.run(&["verify"]).ended(1, &[], &["row 4 was edited", "does not fit its hash"]);
    let json = record.run(&["verify", "--json"]).ended(1, &[], &["row 4"]).json();
    assert!(json["error"].as_str().unwrap().contains("row 4") && json["ok"] == false, "{json}");
    assert_eq!((&json["findings"][0]["wrong"], &json["findings"][0]["seq"]), (&"edited".into(), &4.into()));
}

#[test]
fn a_removed_and_a_moved_event_and_a_place_that_nobody_took_are_named() {
    let record = Record::new();
    record.tamper("DELETE FROM event WHERE seq = 2; INSERT INTO unresolved VALUES ('device-9', '0000000009')");
    record.run(&["verify"]).ended(
        1,
        &[],
        &["row 2 was removed", "device-9: the table of unsettled openings has 0000000009"],
    );
    let record = Record::new();
    record.tamper("UPDATE event SET seq = 9 WHERE seq = 1");
    let json = record.run(&["verify", "--json"]).ended(1, &[], &["row 9 was moved: it was written as row 1"]).json();
    let wrong: Vec<&str> = json["findings"].as_array().unwrap().iter().map(|f| f["wrong"].as_str().unwrap()).collect();
    assert_eq!(wrong, ["moved"]);
}

/// The export of this journal, checked by a program that shares nothing with this one; `None` without python3.
fn checked_elsewhere(export: &str) -> Option<Ran> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_export.py");
    let child =
        Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("NOT CHECKED: there is no python3 here, so the export's formula was not checked by another program");
        return None;
    };
    // A script that has seen enough closes its end.
    drop(child.stdin.take().unwrap().write_all(export.as_bytes()));
    Some(Ran::of(child.wait_with_output().unwrap()))
}

#[test]
fn the_export_holds_every_column_as_it_is_stored_also_beside_a_daemon() {
    let record = Record::new();
    // As a daemon has it open.
    let journal = Journal::open(&record.file()).unwrap();
    let export = record.run(&["export"]).ended(0, &[], &[]).stdout;
    let lines: Vec<serde_json::Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let db = rusqlite::Connection::open(record.file()).unwrap();
    let mut query =
        db.prepare("SELECT seq, at, till, opening, name, body, hex(prev), hex(hash) FROM event ORDER BY seq").unwrap();
    let stored = query.query_map([], |r| {
        Ok(serde_json::json!({
            "seq": r.get::<_, i64>(0)?, "at": r.get::<_, String>(1)?, "till": r.get::<_, String>(2)?,
            "opening": r.get::<_, Option<String>>(3)?, "name": r.get::<_, String>(4)?, "body": r.get::<_, String>(5)?,
            "prev": r.get::<_, String>(6)?.to_lowercase(), "hash": r.get::<_, String>(7)?.to_lowercase(),
        }))
    });
    let stored: Vec<_> = stored.unwrap().map(|row| row.unwrap()).collect();
    assert_eq!(lines, stored);
    assert_eq!(lines[3]["hash"], record.head());
    let after = record.run(&["export", "--after", "2"]).ended(0, &[], &[]).stdout;
    assert_eq!(after.lines().count(), 2);
    drop(journal);
}

#[test]
fn another_program_checks_the_export_by_the_formula_and_finds_what_was_done_to_it() {
    let record = Record::new();
    let id = OpeningId::from_bits(8);
    // What is hard to get right elsewhere: a text that is not ASCII, and one in quotes.
    record.append(&[(
        "café \"1\"",
        Some(&id),
        Event::DrawerKicked { reason: "Größe €\u{1}\\".to_owned(), outcome: "opened".to_owned() },
    )]);
    let export = record.run(&["export"]).ended(0, &[], &[]).stdout;
    let Some(fine) = checked_elsewhere(&export) else { return };
    let head = record.head();
    fine.ended(0, &["5 rows", &head], &[]);
    let lines: Vec<&str> = export.lines().collect();
    let without =
        |n: usize| lines.iter().enumerate().filter(|(at, _)| *at != n).map(|(_, l)| *l).collect::<Vec<_>>().join("\n");
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    for (export, seq) in [
        (export.replace("150.00", "950.00"), 4),
        (export.replace("front-2", "front-1"), 2),
        (export.replace("opening.started", "opening.startet"), 3),
        (export.replacen("\"seq\":3", "\"seq\":4", 1), 4),
        (without(1), 3),
        (without(0), 2),
        (swapped.join("\n"), 3),
    ] {
        checked_elsewhere(&export).unwrap().ended(1, &[], &[&format!("row {seq} ")]);
    }
    checked_elsewhere("no json").unwrap().ended(1, &[], &["line 1"]);
}

#[test]
fn what_is_no_journal_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none.db");
    for args in [&["verify"][..], &["list"], &["show", "1"], &["export"]] {
        run_on(&none, args).ended(1, &[], &["none.db does not exist", "--journal"]);
    }
    let text = folder.path().join("letter.txt");
    std::fs::write(&text, "Dear Robin, this is a letter and no journal at all.").unwrap();
    for args in [&["verify"][..], &["list"], &["show", "1"], &["export"]] {
        run_on(&text, args).ended(1, &[], &["letter.txt"]);
    }
}

#[test]
fn what_is_whole_in_a_damaged_journal_is_put_in_its_place_and_what_is_missing_is_said() {
    let record = Record::new();
    record.run(&["salvage"]).ended(1, &[], &["journal.db is whole"]);
    record.tamper("DELETE FROM event WHERE seq = 2");
    let new = record.folder.path().join("new.db");
    let aside = record.run(&["salvage", "--to", new.to_str().unwrap()]);
    aside.ended(
        0,
        &["3 events are whole, and are in", "missing: row 2 was removed", "0000000007: counted and not settled"],
        &[],
    );
    run_on(&new, &["verify"]).ended(0, &["4 events"], &[]);
    record.run(&["verify"]).ended(1, &[], &["row 2 was removed"]);
    let json = record.run(&["salvage", "--json"]).ended(0, &[], &[]).json();
    assert_eq!((&json["kept"], &json["unsettled"][0]), (&3.into(), &"0000000007".into()));
    let copy = json["copy"].as_str().unwrap();
    assert!(copy.contains("journal.db.quarantine-"), "{json}");
    record.run(&["verify"]).ended(0, &["4 events", json["head"].as_str().unwrap()], &[]);
    run_on(Path::new(copy), &["verify"]).ended(1, &[], &["row 2 was removed"]);
    // And the daemon's way in is free again.
    let busy = Journal::open(&record.file()).unwrap();
    record.run(&["salvage"]).ended(75, &[], &["in use by another drawerbridge"]);
    drop(busy);
}

#[test]
fn a_daemon_does_not_start_from_a_damaged_journal_and_says_the_way_out() {
    let record = Record::new();
    record.tamper("UPDATE event SET body = replace(body, '150.00', '950.00') WHERE seq = 4");
    let before = std::fs::read(record.file()).unwrap();
    let folder = record.folder.path();
    let token = folder.join("access-token");
    std::fs::write(&token, "shpat_test").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let config = r#"
shop = { domain = "example.myshopify.com", currency = "USD", time_zone = "UTC", access_token_file = "access-token" }
journal = { path = "journal.db" }
api = { listen = "127.0.0.1:0" }
staff = [{ name = "Robin", number = "1042", id = "gid://shopify/StaffMember/1" }]
till = [{ name = "front-1", point_of_sale_device_id = "gid://shopify/PointOfSaleDevice/1" }]
"#;
    std::fs::write(folder.join("config.toml"), config).unwrap();
    let refused = run(&["run", "--config", folder.join("config.toml").to_str().unwrap()]);
    let refused =
        refused.ended(1, &[], &["journal.db is damaged: row 4 does not fit its hash", "journal salvage", ".quarantine-"]);
    assert_eq!(refused.stdout, "");
    assert_eq!(std::fs::read(record.file()).unwrap(), before);
    assert!(!folder.join("journal.db.addr").exists(), "nobody was told that it listens");
}
