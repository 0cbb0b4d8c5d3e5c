//! Which slip comes when: between the count, Shopify's answer, the printer and the journal.
use super::*;
use crate::{
    clock,
    journal::Row,
    shift::event::{Event, StartedBy, sample},
};

const CONFIG: &str = r#"
[shop]
domain = "example.myshopify.com"
currency = "USD"
time_zone = "America/New_York"
access_token_file = "token"
[journal]
path = "journal.db"
[[staff]]
name = "Robin"
number = "1042"
id = "gid://shopify/StaffMember/1"
[[till]]
name = "front-1"
point_of_sale_device_id = "gid://shopify/PointOfSaleDevice/1"
[till.printer]
profile = "epson-tm-t88"
tcp = "127.0.0.1:9100"
"#;

fn settings(without_printer: bool) -> config::Settings {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "shpat_test").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = if without_printer { CONFIG.split("[till.printer]").next().unwrap() } else { CONFIG };
    let file = folder.path().join("drawerbridge.toml");
    std::fs::write(&file, text).unwrap();
    config::load(&file).unwrap_or_else(|problems| panic!("{problems}"))
}

struct Scene {
    desk: SlipDesk,
    records: Records,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        let settings = settings(false);
        let till = &settings.tills[0];
        let desk = SlipDesk::new(till.printer.as_ref(), &settings.shop, till);
        Self { desk, records: Records::new([], true), now: clock::now() }
    }
    fn row(&mut self, id: u64, event: Event) {
        let opening = Some(OpeningId::from_bits(id));
        self.records.take(&Row { seq: 1, at: Timestamp::UNIX_EPOCH, till: "front-1".into(), opening, event });
    }
    fn counted(&mut self, id: u64) {
        self.row(id, Event::OpeningStarted { by: StartedBy::Drawer });
        self.row(id, Event::OpeningCounted(sample::counted()));
    }
    fn ask(&mut self) -> Option<u64> {
        self.desk.ask(self.now, &self.records)
    }
    /// The printer is ready, the journal takes the intent: what is on the paper.
    fn print(&mut self, job: u64) -> (Begun, String) {
        let begun = self.desk.turn(self.now, job, &self.records).expect("a slip is due");
        self.row(bits(&begun), Event::SlipSending { kind: begun.kind.into() });
        let (_, pieces) = self.desk.compose(&begun, &self.records, &[0x5A; 32]).unwrap();
        (begun, String::from_utf8_lossy(&pieces.concat()).into_owned())
    }
    fn over(&mut self, job: u64) {
        let begun = self.desk.over(job).expect("it was printed");
        self.row(bits(&begun), Event::SlipPrinted { kind: begun.kind.into(), proof: "GS r".into() });
    }
}

fn bits(begun: &Begun) -> u64 {
    (1..100).find(|n| OpeningId::from_bits(*n) == begun.opening).unwrap()
}

#[test]
fn the_first_slip_waits_a_moment_for_shopifys_answer_and_then_says_it() {
    let mut scene = Scene::new();
    scene.counted(1);
    assert_eq!(scene.ask(), None);
    assert_eq!(scene.desk.wake(), Some(scene.now + WAIT_FOR_ANSWER));
    scene.row(1, sample::confirmed());
    let job = scene.ask().expect("the answer is there");
    let (begun, paper) = scene.print(job);
    assert_eq!(begun.kind, "first");
    assert!(paper.contains("Session   1"), "{paper}");
    assert!(paper.contains("Journal   5a5a-5a5a-5a5a-5a5a\n"), "the hash of its intent: {paper}");
    scene.over(job);
    assert_eq!((scene.ask(), scene.desk.wake()), (None, None), "nothing more is owed");
}

#[test]
fn without_an_answer_two_slips_come_out() {
    let mut scene = Scene::new();
    scene.counted(1);
    assert_eq!(scene.ask(), None);
    scene.now += WAIT_FOR_ANSWER;
    let job = scene.ask().expect("it has waited long enough");
    assert_eq!(scene.print(job).0.kind, "first");
    scene.over(job);
    assert_eq!(scene.ask(), None);
    scene.row(1, sample::confirmed());
    let job = scene.ask().expect("the second slip");
    let (begun, paper) = scene.print(job);
    assert_eq!(begun.kind, "confirmation");
    assert!(paper.contains("Session   1"), "{paper}");
}

#[test]
fn a_slip_that_waited_for_paper_says_what_is_known_when_its_turn_comes() {
    let mut scene = Scene::new();
    scene.counted(1);
    assert_eq!(scene.ask(), None);
    scene.now += WAIT_FOR_ANSWER;
    let job = scene.ask().expect("due");
    assert_eq!(scene.ask(), None, "the printer is asked once");
    assert!(!scene.desk.is_under_way(), "a restart now still owes it");
    scene.row(1, sample::confirmed());
    let (begun, paper) = scene.print(job);
    assert_eq!(begun.kind, "first");
    assert!(paper.contains("Session   1"), "one slip, and it is complete: {paper}");
    scene.over(job);
    assert_eq!(scene.ask(), None);
}

#[test]
fn two_counts_whose_slips_waited_come_out_in_their_order() {
    let mut scene = Scene::new();
    scene.counted(1);
    scene.row(1, sample::confirmed());
    let first = scene.ask().expect("due");
    scene.counted(2);
    scene.row(2, sample::confirmed());
    assert_eq!(bits(&scene.print(first).0), 1);
    scene.over(first);
    let second = scene.ask().expect("the other count's");
    assert_eq!(bits(&scene.print(second).0), 2);
    scene.over(second);
    assert_eq!(scene.ask(), None);
}

#[test]
fn a_journal_that_does_not_take_the_intent_is_asked_again_and_nothing_is_printed_meanwhile() {
    let mut scene = Scene::new();
    scene.counted(1);
    scene.row(1, sample::confirmed());
    let job = scene.ask().expect("due");
    scene.desk.turn(scene.now, job, &scene.records).expect("its turn");
    scene.desk.not_noted(scene.now);
    assert_eq!(scene.ask(), None);
    assert_eq!(scene.desk.wake(), Some(scene.now + ASK_AGAIN));
    scene.now += ASK_AGAIN;
    let again = scene.ask().expect("again");
    assert_ne!(again, job, "a turn of before is not taken for this one");
    assert_eq!(scene.desk.turn(scene.now, job, &scene.records), None);
    assert_eq!(scene.print(again).0.kind, "first");
}

#[test]
fn a_copy_that_the_journal_could_not_note_is_not_lost() {
    let mut scene = Scene::new();
    scene.counted(1);
    scene.row(1, sample::confirmed());
    let job = scene.ask().unwrap();
    scene.print(job);
    scene.over(job);
    let old = scene.records.current().unwrap().clone();
    scene.desk.copy(&old).unwrap();
    let job = scene.ask().expect("the copy");
    scene.desk.turn(scene.now, job, &scene.records).expect("its turn");
    scene.desk.not_noted(scene.now);
    scene.now += ASK_AGAIN;
    let job = scene.ask().expect("still there");
    let (begun, paper) = scene.print(job);
    assert_eq!(begun.kind, "copy");
    assert!(paper.contains("COPY"), "{paper}");
}

#[test]
fn copies_that_wait_have_an_end() {
    let mut scene = Scene::new();
    scene.counted(1);
    let record = scene.records.current().unwrap().clone();
    for _ in 0..COPIES {
        scene.desk.copy(&record).unwrap();
    }
    assert!(scene.desk.copy(&record).is_err());
}

#[test]
fn a_till_without_a_printer_neither_prints_nor_wakes() {
    let settings = settings(true);
    let mut desk = SlipDesk::new(None, &settings.shop, &settings.tills[0]);
    let mut scene = Scene::new();
    scene.counted(1);
    assert_eq!(desk.ask(scene.now, &scene.records), None);
    assert_eq!(desk.wake(), None);
    assert!(desk.copy(scene.records.current().unwrap()).is_err());
}

#[test]
fn after_a_slip_that_is_not_proven_the_paper_is_cut_before_the_next_one() {
    let mut scene = Scene::new();
    scene.counted(1);
    scene.row(1, sample::confirmed());
    let job = scene.ask().unwrap();
    let (_, clean) = scene.print(job);
    scene.over(job);
    scene.desk.was_torn();
    let old = scene.records.current().unwrap().clone();
    for (begins_with_a_cut, why) in [(true, "half a slip may hang out"), (false, "once")] {
        scene.desk.copy(&old).unwrap();
        let job = scene.ask().unwrap();
        let (_, paper) = scene.print(job);
        assert_eq!(paper.starts_with("\x1B@\n\x1DVB\0\x1B@"), begins_with_a_cut, "{why}");
        scene.over(job);
    }
    assert!(clean.starts_with("\x1B@") && !clean.starts_with("\x1B@\n\x1DVB"));
}
