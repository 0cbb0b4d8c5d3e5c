//! What the journal is asked to keep while its system calls are recorded: some weeks of a shop, in several lives.
//!
//! The writer says in the same record what it is about to write ([`Note::Trying`]) and that the journal called it durable
//! ([`Note::Durable`]), each by one write to a file of its own. So the order of these words and of the journal's syncs is
//! exact, and whoever reads the record needs to know nothing about the workload.
use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use drawerbridge::{
    journal::{Journal, Row, chain::Fields},
    shift::event::{Counted, Decision, Event, Money, OpeningId, Pieces, SessionFacts, StartedBy},
};
use serde::{Deserialize, Serialize};

use super::dice::Dice;

/// A row as the table keeps it: seq, at, till, opening, name, body.
pub type Columns = (i64, String, String, Option<String>, String, String);

/// One line of the notes file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// These rows are about to be written in one transaction.
    Trying(Vec<Columns>),
    /// The journal said that the rows tried last are on disk.
    Durable,
}

/// Where a life writes.
pub struct Desk {
    /// The folder that is recorded: the journal, and what SQLite puts beside it.
    pub folder: PathBuf,
    /// The notes.
    pub notes: PathBuf,
}

impl Desk {
    /// In this folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.join("till"), notes: folder.join("notes") }
    }
    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.folder.join(JOURNAL)
    }
}

/// The journal's file name.
pub const JOURNAL: &str = "journal.db";

/// One life of the daemon, from opening the journal to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The first start ever; it ends abruptly, with an opening on its way.
    First,
    /// Starts on a log that was left behind, writes on past a checkpoint, ends in order.
    Long,
    /// After an end in order; restarted twice within the process; ends abruptly.
    Restarted,
    /// After a power cut; ends abruptly.
    AfterCut,
}

impl Life {
    /// All, in the order in which a shop lives through them.
    pub const ALL: [Self; 4] = [Self::First, Self::Long, Self::Restarted, Self::AfterCut];
}

/// Lives it. At an abrupt end the process ends with everything open, as at `kill -9`.
pub fn live(life: Life, seed: u64, desk: &Desk) {
    let dice = Dice::new(seed ^ ((life as u64) << 32));
    let notes = OpenOptions::new().create(true).append(true).open(&desk.notes).unwrap();
    let mut shop = Shop { journal: None, notes, dice, desk };
    shop.open();
    match life {
        Life::First => {
            shop.openings(6);
            shop.begin("side-1");
        }
        Life::Long => {
            shop.openings(60);
            shop.close();
            return;
        }
        Life::Restarted => {
            shop.openings(4);
            for openings in [1, 4] {
                shop.close();
                shop.open();
                shop.openings(openings);
            }
        }
        Life::AfterCut => shop.openings(6),
    }
    std::process::exit(0)
}

struct Shop<'a> {
    journal: Option<Journal>,
    notes: File,
    dice: Dice,
    desk: &'a Desk,
}

impl Shop<'_> {
    /// As at the daemon's start: what is unresolved is followed up.
    fn open(&mut self) {
        let journal = Journal::open(&self.desk.journal()).unwrap();
        let rows: Vec<_> = journal.unresolved().unwrap().iter().map(|id| journal.of_opening(id).unwrap()).collect();
        self.journal = Some(journal);
        self.append(vec![("", None, Event::DaemonStarted { version: "0.1.0".into() })]);
        for rows in rows {
            let counted = rows.iter().find_map(|row| {
                let Event::OpeningCounted(counted) = &row.event else { return None };
                Some(counted.clone())
            });
            let id = rows[0].opening.clone().unwrap();
            self.end_of(&rows[0].till, &id, &counted.unwrap());
        }
    }

    fn close(&mut self) {
        self.journal = None;
    }

    fn note(&mut self, note: &Note) {
        let mut line = serde_json::to_vec(note).unwrap();
        line.push(b'\n');
        self.notes.write_all(&line).unwrap();
    }

    fn append(&mut self, events: Vec<(&str, Option<&OpeningId>, Event)>) {
        let journal = self.journal.as_mut().unwrap();
        let mut seq = journal.next_seq();
        let rows: Vec<_> = events
            .into_iter()
            .map(|(till, opening, event)| {
                // Numbers rise, and not always by one.
                let row = Row { seq, at: at(seq), till: till.into(), opening: opening.cloned(), event };
                seq += 1 + i64::from(self.dice.one_in(5));
                Arc::new(row)
            })
            .collect();
        let columns = rows.iter().map(|row| columns(&Fields::of(row))).collect();
        self.note(&Note::Trying(columns));
        let journal = self.journal.as_mut().unwrap();
        let durable = journal.append_rows(&rows).unwrap();
        assert_eq!(durable.len(), rows.len());
        self.note(&Note::Durable);
    }

    /// A person counts at a till, and the count is confirmed.
    fn begin(&mut self, till: &str) -> (OpeningId, Counted) {
        let id = OpeningId::from_bits(self.dice.next());
        let counted = counted(&format!("gid://shopify/PointOfSaleDevice/{till}"), &mut self.dice);
        self.append(vec![(till, Some(&id), Event::OpeningStarted { by: StartedBy::Drawer })]);
        self.append(vec![(till, Some(&id), Event::OpeningCounted(counted.clone()))]);
        (id, counted)
    }

    /// Shift after shift at two tills: the devices talk, a person counts, Shopify answers in one of several ways.
    fn openings(&mut self, count: u32) {
        for _ in 0..count {
            let till = if self.dice.one_in(2) { "front-1" } else { "back-1" };
            self.device_rows(till);
            let (id, counted) = self.begin(till);
            let attempts = 1 + u8::from(self.dice.one_in(4)) + u8::from(self.dice.one_in(8));
            for attempt in 1..=attempts {
                let variables = serde_json::json!({ "input": counted, "note": format!("{} [db:{id}]", counted.note) });
                self.append(vec![(
                    till,
                    Some(&id),
                    Event::OpeningSending { attempt, variables, into: None, preflight: None },
                )]);
                if attempt < attempts {
                    let why = "the answer did not come".to_owned();
                    self.append(vec![(till, Some(&id), Event::OpeningUnknown { attempt, why, already_open: false })]);
                    self.device_rows(till);
                    self.append(vec![(till, Some(&id), Event::OpeningAbsent { attempt, reads: 3 })]);
                }
            }
            self.end_of(till, &id, &counted);
            self.append(vec![(till, Some(&id), Event::SlipSending { kind: "first".into() })]);
            self.append(vec![(till, Some(&id), Event::SlipPrinted { kind: "first".into(), proof: "GS ( H".into() })]);
        }
    }

    fn end_of(&mut self, till: &str, id: &OpeningId, counted: &Counted) {
        let session = SessionFacts {
            id: format!("gid://shopify/PointOfSaleDevicePaymentSession/{}", self.dice.below(1_000_000)),
            status: "OPEN".into(),
            opening_time: counted.time.clone(),
            opening_note: Some(format!("{} [db:{id}]", counted.note)),
            counted: counted.balance.clone(),
            expected: None,
        };
        let prompt = || ["SEE THE MANAGER".to_owned(), String::new()];
        match self.dice.below(8) {
            0 => {
                let refused = Event::OpeningRefused { code: "HTTP_403".into(), message: "no".into(), prompt: prompt() };
                self.append(vec![(till, Some(id), refused)]);
            }
            1 => {
                let stale = Event::OpeningStale { why: "counted yesterday".into(), prompt: prompt() };
                self.append(vec![(till, Some(id), stale)]);
            }
            2 | 3 => self.decided_by_a_person(till, id, session),
            _ => {
                self.append(vec![(till, Some(id), Event::OpeningConfirmed { how: "answered".into(), session })]);
            }
        }
    }

    /// Somebody else's session is open: a person says what becomes of the count. To record it takes the place again.
    fn decided_by_a_person(&mut self, till: &str, id: &OpeningId, session: SessionFacts) {
        let why = "another session is open".to_owned();
        let prompt = ["SEE THE MANAGER".to_owned(), String::new()];
        let kind = "foreign_session".to_owned();
        let event = Event::OpeningNeedsAttention { kind, why: why.clone(), prompt, session: Some(session.clone()) };
        self.append(vec![(till, Some(id), event)]);
        let decision = [Decision::Link, Decision::RecordCount, Decision::GiveUp][self.dice.index(3)];
        let by = "Robin".to_owned();
        self.append(vec![(till, Some(id), Event::OpeningResolved { by, why, decision, session: Some(session.clone()) })]);
        if decision == Decision::RecordCount {
            let variables = serde_json::json!({ "sessionId": session.id });
            let into = Some(session.clone());
            let sending = Event::OpeningSending { attempt: 1, variables, into, preflight: None };
            self.append(vec![(till, Some(id), sending)]);
            self.append(vec![(till, Some(id), Event::OpeningRecorded { how: "answered".into(), session })]);
        }
    }

    /// What the devices told since the last time, as the daemon writes it: up to eight rows at once.
    fn device_rows(&mut self, till: &str) {
        let events = (0..1 + self.dice.below(8)).map(|_| {
            let event = match self.dice.below(4) {
                0 => Event::DrawerOpened { by: "key".into() },
                1 => Event::DrawerClosed { open_ms: self.dice.below(90_000) },
                2 => Event::KeypadStatus { status: "unknown: the cable is out".into() },
                // Now and then longer than a page.
                _ => {
                    let words = if self.dice.one_in(6) { 400 } else { 3 };
                    Event::PrinterStatus { status: "paper is low; ".repeat(words) }
                }
            };
            (till, None, event)
        });
        let events = events.collect();
        self.append(events);
    }
}

fn counted(device: &str, dice: &mut Dice) -> Counted {
    let amount = |minor: u64| Money { amount: format!("{}.{:02}", minor / 100, minor % 100), currency: "USD".into() };
    let faces = ["0.01", "0.05", "0.10", "0.25", "1.00", "5.00", "10.00", "20.00", "50.00"];
    let pieces = |face: &&str| Pieces { denomination: (*face).to_owned(), pieces: 12 };
    Counted {
        staff_name: "Robin".into(),
        staff_member_id: "gid://shopify/StaffMember/1".into(),
        point_of_sale_device_id: device.to_owned(),
        reason_code_id: None,
        balance: amount(dice.below(50_000)),
        lines: if dice.one_in(2) { faces.iter().map(pieces).collect() } else { vec![] },
        time: "2026-11-23T07:00:00Z".into(),
        note: "counted by two people, in the light of the window. ".repeat(if dice.one_in(3) { 20 } else { 1 }),
    }
}

/// Any moment will do; rows of one number have one.
fn at(seq: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_795_000_000 + seq % 1_000_000).unwrap()
}

fn columns(fields: &Fields) -> Columns {
    let f = fields.clone();
    (f.seq, f.at, f.till, f.opening, f.name, f.body)
}
