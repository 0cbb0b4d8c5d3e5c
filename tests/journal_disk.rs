//! The journal on a disk that is really full: a small file system of its own, in a name space of its own.
//!
//! Each test runs itself a second time inside `unshare`, where it may mount. Where that is not allowed nothing is checked, and
//! that is said.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use drawerbridge::{
    daemon::recorder,
    journal::{self, Journal},
    shift::event::{Counted, Event, Money, OpeningId, StartedBy},
};

/// Set inside: the folder on the small disk.
const INSIDE: &str = "DRAWERBRIDGE_TEST_SMALL_DISK";
const PATIENCE: Duration = Duration::from_secs(60);

/// The small disk, inside; outside the test is run again inside, and there is nothing more to do.
fn small_disk(test: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(INSIDE) {
        return Some(PathBuf::from(folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=2m none \"$0\" || exit 97; exec \"$@\"";
    let ran = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", mount])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, folder.path())
        .output();
    let said = |ran: &std::process::Output| {
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    };
    match ran {
        Ok(ran) if ran.status.success() => assert!(said(&ran).contains("1 passed"), "{}", said(&ran)),
        Ok(ran) if said(&ran).contains(&format!("test {test}")) || said(&ran).contains("panicked") => {
            panic!("{}", said(&ran))
        }
        Ok(ran) => eprintln!("NOT CHECKED: no small disk can be mounted here: {}", said(&ran)),
        Err(e) => eprintln!("NOT CHECKED: no small disk can be mounted here: unshare: {e}"),
    }
    None
}

/// Takes all the room there is. Removed, the disk has room again.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("filler");
    let mut file = File::create(&path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0]).is_ok() {}
    path
}

fn id(n: u64) -> OpeningId {
    OpeningId::from_bits(n)
}

fn counted(device: u32) -> Event {
    Event::OpeningCounted(Counted {
        staff_name: "Robin".to_owned(),
        staff_member_id: "gid://shopify/StaffMember/1".to_owned(),
        point_of_sale_device_id: format!("gid://shopify/PointOfSaleDevice/{device}"),
        reason_code_id: None,
        balance: Money { amount: "150.00".to_owned(), currency: "USD".to_owned() },
        lines: vec![],
        time: "2026-11-24T07:00:00Z".to_owned(),
        note: String::new(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_waits_for_is_written_into_the_reserve_and_nothing_is_called_saved_that_is_not() {
    let Some(disk) =
        small_disk("what_somebody_waits_for_is_written_into_the_reserve_and_nothing_is_called_saved_that_is_not")
    else {
        return;
    };
    let path = disk.join("journal.db");
    let reserve = disk.join("journal.db.reserve");
    let (recorder, thread) = recorder::start(Journal::open(&path).unwrap()).unwrap();
    // A first answer: by then the journal's thread has made the reserve.
    recorder.ask(|j| Ok(j.next_seq())).await.unwrap();
    assert!(reserve.exists());
    let filler = fill(&disk);
    // Until the log itself needs room.
    let mut saved = 0;
    for n in 1..200 {
        let told = recorder.begin("front-1", Some(&id(n)), Event::OpeningStarted { by: StartedBy::Drawer }).await.unwrap();
        if told.is_err() {
            break;
        }
        saved += 1;
    }
    assert!((5..199).contains(&saved), "{saved} rows found room in the reserve");
    assert!(!reserve.exists(), "given up");
    let refused = recorder.begin("front-1", Some(&id(500)), counted(1)).await.unwrap();
    assert_eq!(refused.unwrap_err(), "the disk is full");
    assert!(recorder.is_failing());
    assert_eq!(journal::verify(&path).unwrap().0, saved, "exactly what was called saved");

    std::fs::remove_file(filler).unwrap();
    let written = recorder.begin("front-1", Some(&id(500)), counted(1)).await.unwrap().unwrap();
    assert!(!recorder.is_failing());
    let head = *written.hash();
    drop(recorder);
    thread.stop();
    assert_eq!(journal::verify(&path).unwrap(), (saved + 1, head));
    // The next one to open it has its reserve again.
    let (recorder, thread) = recorder::start(Journal::open(&path).unwrap()).unwrap();
    recorder.ask(|j| Ok(j.next_seq())).await.unwrap();
    assert!(reserve.exists());
    drop(recorder);
    thread.stop();
}

#[test]
fn a_journal_on_a_full_disk_is_read_whole_and_takes_rows_when_there_is_room_again() {
    let Some(disk) = small_disk("a_journal_on_a_full_disk_is_read_whole_and_takes_rows_when_there_is_room_again") else {
        return;
    };
    let path = disk.join("journal.db");
    let mut live = Journal::open(&path).unwrap();
    live.append(jiff::Timestamp::UNIX_EPOCH, "front-1", Some(&id(1)), &counted(1)).unwrap();
    // As after a power cut: the row is in the log, and the log's index is gone.
    let cut = disk.join("cut.db");
    for end in ["", "-wal"] {
        std::fs::copy(format!("{}{end}", path.display()), format!("{}{end}", cut.display())).unwrap();
    }
    drop(live);
    drop(File::create(disk.join("cut.db.lock")).unwrap());
    let filler = fill(&disk);
    let log = std::fs::read(disk.join("cut.db-wal")).unwrap();
    let mut journal = Journal::open(&cut).unwrap();
    assert!(journal.takes_nothing());
    assert_eq!(journal.unresolved().unwrap(), [id(1)]);
    assert_eq!(journal.of_opening(&id(1)).unwrap().len(), 1);
    let row = |journal: &mut Journal| journal.append(jiff::Timestamp::UNIX_EPOCH, "", None, &Event::DrawerLeftOpen {});
    assert!(matches!(row(&mut journal), Err(journal::JournalError::Full)));
    assert!(matches!(Journal::open(&cut), Err(journal::JournalError::Busy { .. })), "the lock holds");
    assert_eq!(std::fs::read(disk.join("cut.db-wal")).unwrap(), log, "not a byte is touched");
    std::fs::remove_file(filler).unwrap();
    row(&mut journal).unwrap();
    assert!(!journal.takes_nothing());
    assert_eq!(journal::verify(&cut).unwrap(), (2, journal.head()), "others read beside it again");
    drop(journal);
    assert_eq!(Journal::open(&cut).unwrap().unresolved().unwrap(), [id(1)]);
}

/// A daemon whose process is ended with the test.
struct Daemon {
    child: Child,
    log: mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Daemon {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_drawerbridge"))
            .args(["run", "--config"])
            .arg(folder.join("config.toml"))
            .env_remove("NOTIFY_SOCKET")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, log, said: vec![] }
    }

    fn says(&mut self, wanted: &str) -> String {
        loop {
            if let Some(line) = self.said.iter().find(|line| line.contains(wanted)) {
                return line.clone();
            }
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(line),
                Err(e) => panic!("it did not say {wanted:?} ({e}): {:#?}", self.said),
            }
        }
    }
}

impl Daemon {
    /// Looks again with each line of the log, and now and then.
    fn until(&mut self, there: impl Fn() -> bool) {
        for _ in 0..PATIENCE.as_millis() / 20 {
            if there() {
                return;
            }
            self.said.extend(self.log.recv_timeout(Duration::from_millis(20)));
        }
        panic!("it never came: {:#?}", self.said);
    }
}

fn get(address: &str, token: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_daemon_starts_on_a_full_disk_knows_its_unsettled_count_and_mends_itself() {
    let Some(disk) = small_disk("the_daemon_starts_on_a_full_disk_knows_its_unsettled_count_and_mends_itself") else {
        return;
    };
    let mut journal = Journal::open(&disk.join("journal.db")).unwrap();
    journal.append(jiff::Timestamp::UNIX_EPOCH, "front-1", Some(&id(1)), &counted(1)).unwrap();
    drop(journal);
    let token = "t".repeat(43);
    for (name, text) in [("access-token", "shpat_test"), ("api-token", token.as_str())] {
        std::fs::write(disk.join(name), text).unwrap();
        std::fs::set_permissions(disk.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    // Nothing listens at the endpoint: port 9 (discard) is refused.
    let config = r#"
[shop]
domain = "example.myshopify.com"
currency = "USD"
time_zone = "America/New_York"
access_token_file = "access-token"
endpoint = "http://127.0.0.1:9"
[journal]
path = "journal.db"
[api]
listen = "127.0.0.1:0"
token_file = "api-token"
[[staff]]
name = "Robin"
number = "1042"
id = "gid://shopify/StaffMember/1"
[[till]]
name = "front-1"
point_of_sale_device_id = "gid://shopify/PointOfSaleDevice/1"
[till.printer]
profile = "epson-tm-t88"
tcp = "127.0.0.1:9"
"#;
    std::fs::write(disk.join("config.toml"), config).unwrap();
    let filler = fill(&disk);
    let mut daemon = Daemon::start(&disk);
    let ready = daemon.says("ready address=");
    let address = ready.split("address=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    daemon.says("the journal cannot be written");
    let view = get(&address, &token, "/v1/tills/front-1");
    assert!(view.contains("\"state\":\"counted\"") && view.contains(id(1).as_str()), "{view}");
    assert!(get(&address, &token, "/metrics").contains("drawerbridge_journal_writable 0"), "said to who watches");
    let path = disk.join("journal.db");
    std::fs::remove_file(filler).unwrap();
    daemon.says("the journal can be written again");
    assert!(get(&address, &token, "/metrics").contains("drawerbridge_journal_writable 1"));
    // The machine offers again what the disk refused: the story of the count goes on.
    daemon.until(|| {
        let rows = journal::read(&path, 0, 100).unwrap();
        let view = get(&address, &token, "/v1/tills/front-1");
        let goes_on = view.contains(id(1).as_str()) && !view.contains("\"state\":\"counted\"");
        rows.iter().any(|row| row.opening == Some(id(1)) && row.seq > 1) && goes_on
    });
    assert!(journal::verify(&path).is_ok());
}
