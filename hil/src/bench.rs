//! A whole till in one object: printer with drawer, display, keypad, Admin API, and a folder with a ready configuration.
//!
//! The folder holds the virtual serial pairs (`printer`, `display`, `keypad`; `printer-2` … for a second till), the secrets
//! (0600) and `config.toml` for `drawerbridge run`. It starts no daemon; `bench::daemon` does.
pub mod client;
pub mod config;
pub mod console;
pub mod daemon;
pub mod disk;
pub mod slips;
pub mod spec;
pub mod stage;

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use spec::{BenchSpec, Connector, DisplayKind, SenseKind, Wire};

use crate::{
    admin::{AdminApi, AdminSpec},
    display::{Dialect, Display, Shown},
    keypad::Keypad,
    line::Attach,
    printer::{DrawerSpec, Level, Printer, PrinterSpec},
};

/// The static token of the simulated shop.
pub const TOKEN: &str = "shpat_rig";
/// Client id and secret of the simulated app.
pub const CLIENT: (&str, &str) = ("rig-client", "rig-secret");

/// Two rows of a display.
pub type Rows = [String; 2];

/// Names a factor for everything that is waited for: 4 on a machine that is slow or busy.
pub const PATIENCE_VARIABLE: &str = "DRAWERBRIDGE_HIL_PATIENCE";

/// How much longer than usual the rig waits before it gives something up; 1 unless the environment says otherwise.
pub fn patience() -> Result<u32, String> {
    match std::env::var(PATIENCE_VARIABLE) {
        Err(std::env::VarError::NotPresent) => Ok(1),
        Err(e) => Err(format!("{PATIENCE_VARIABLE}: {e}")),
        Ok(text) => patience_of(&text),
    }
}

fn patience_of(text: &str) -> Result<u32, String> {
    let factor = text.trim().parse().ok().filter(|factor| (1..=100).contains(factor));
    factor.ok_or_else(|| format!("{PATIENCE_VARIABLE} is `{text}`: write a whole number from 1 to 100, such as 4"))
}

/// This time, as patient as the environment asks for. A value that is no factor counts as 1 here; who starts a run has
/// checked it with [`patience`].
pub(crate) fn patiently(time: Duration) -> Duration {
    time * patience().unwrap_or(1)
}

/// Scenarios that are played at a time: most of each is waiting, so more than there are cores.
#[must_use]
pub fn default_jobs() -> usize {
    4 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The devices of one till.
#[derive(Clone)]
pub struct TillRig {
    /// `front-1`, `front-2`.
    pub name: String,
    /// Number of the point-of-sale device at the simulated shop.
    pub device: u64,
    /// Receipt printer with the drawer.
    pub printer: Printer,
    /// Pole display, if any.
    pub display: Option<Display>,
    /// Keypad and scanner.
    pub keypad: Keypad,
}

impl TillRig {
    /// Every drawing of the display that settled, from the `from`th on; none without a display.
    #[must_use]
    pub fn shown(&self, from: usize) -> Vec<Shown> {
        self.display.as_ref().map(|display| display.shown(from)).unwrap_or_default()
    }
    /// How many there are.
    #[must_use]
    pub fn drawings(&self) -> usize {
        self.display.as_ref().map_or(0, Display::drawings)
    }
    /// The slips that came out. A printer without a cutter has one: what hangs out of it and is torn off by hand.
    #[must_use]
    pub fn slip_texts(&self, has_cutter: bool) -> Vec<String> {
        let mut texts: Vec<String> = self.printer.slips().into_iter().map(|slip| slip.text).collect();
        let hangs_out = self.printer.uncut_text();
        if !has_cutter && !hangs_out.trim().is_empty() {
            texts.push(hangs_out);
        }
        texts
    }
}

/// A bench with everything on it.
pub struct Bench {
    /// What it was made from.
    pub spec: BenchSpec,
    /// The simulated shop.
    pub api: AdminApi,
    /// One till, or two.
    pub tills: Vec<TillRig>,
    dir: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Bench {
    /// Brings all devices and the API up, and writes the folder.
    pub async fn start(spec: BenchSpec) -> io::Result<Self> {
        let (dir, temporary) = match &spec.dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let temporary = tempfile::Builder::new().prefix("drawerbridge-rig-").tempdir()?;
                (temporary.path().to_path_buf(), Some(temporary))
            }
        };
        fs::create_dir_all(&dir)?;
        let dir = fs::canonicalize(&dir)?;
        let api = AdminApi::spawn(admin_spec(&spec)).await?;
        let mut tills = Vec::new();
        for number in 1..=if spec.second_till { 2 } else { 1 } {
            tills.push(till(&spec, &dir, number).await?);
        }
        secret(&dir.join("access-token"), TOKEN)?;
        secret(&dir.join("client-secret"), CLIENT.1)?;
        let bench = Self { spec, api, tills, dir, temporary };
        fs::write(bench.config(), config::toml(&bench.facts()))?;
        Ok(bench)
    }
    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// The configuration for `drawerbridge run --config`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }
    /// The daemon's journal, once it has made one.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal.db")
    }
    /// Keeps a temporary folder on disk, and says where it is.
    pub fn keep(&mut self) -> &Path {
        if let Some(temporary) = self.temporary.take() {
            self.dir = temporary.keep();
        }
        &self.dir
    }
    fn facts(&self) -> config::Facts<'_> {
        let tills = self.tills.iter().map(|till| config::TillFacts {
            name: &till.name,
            device: till.device,
            printer: match till.printer.line().addr() {
                Some(addr) => config::Place::Tcp(addr),
                None => config::Place::Serial(self.place(&till.name, "printer")),
            },
            display: self.place(&till.name, "display"),
            keypad: self.place(&till.name, "keypad"),
        });
        config::Facts { spec: &self.spec, dir: &self.dir, endpoint: self.api.url(), tills: tills.collect() }
    }
    /// Where the daemon finds a device: the link in the folder, or the other end of a real cable.
    fn place(&self, till: &str, device: &str) -> PathBuf {
        match self.spec.ports.iter().find(|p| p.device == device && till == "front-1") {
            Some(port) => port.other_end.clone().unwrap_or_else(|| PathBuf::from(config::OTHER_END)),
            None => self.dir.join(file_name(device, till)),
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // The links of a folder that stays must not point at ptys that are gone. Each line takes away its own link only: a
        // second bench in the same folder has put its own there.
        for till in &self.tills {
            till.printer.unplug();
            till.keypad.unplug();
            if let Some(display) = &till.display {
                display.unplug();
            }
        }
    }
}

fn admin_spec(spec: &BenchSpec) -> AdminSpec {
    AdminSpec {
        currency: spec.currency.clone(),
        device_ids: if spec.second_till { vec![1, 2] } else { vec![1] },
        staff_ids: vec![1, 2, 3],
        shop_token: (!spec.client_credentials).then(|| TOKEN.to_owned()),
        client: spec.client_credentials.then(|| (CLIENT.0.to_owned(), CLIENT.1.to_owned())),
        listen: spec.api_listen,
        ..AdminSpec::default()
    }
}

async fn till(spec: &BenchSpec, dir: &Path, number: u64) -> io::Result<TillRig> {
    let name = format!("front-{number}");
    let attach = |device: &str, baud: Option<u32>| match spec.ports.iter().find(|p| p.device == device && number == 1) {
        Some(port) => Attach::Port { path: port.path.clone(), baud: baud.unwrap_or(9_600) },
        None => Attach::Pair { dir: dir.to_path_buf(), name: file_name(device, &name), baud: baud.filter(|_| spec.paced) },
    };
    let wire = match spec.wire {
        Wire::Pair => attach("printer", Some(spec.baud)),
        Wire::Tcp => Attach::Tcp { listen: ([127, 0, 0, 1], 0).into() },
    };
    let printer = Printer::spawn(printer_spec(spec), wire).await?;
    let dialect = match spec.display {
        DisplayKind::EscPos | DisplayKind::BehindPrinter => Dialect::EscPos,
        DisplayKind::Cd5220 => Dialect::Cd5220,
        DisplayKind::None => Dialect::EscPos,
    };
    // Displays and keypads are not paced: a frame at 9600 baud is 64 wake-ups, and nothing that a scenario is about depends
    // on when in its 70 ms it appears. A loaded machine would only bring it late.
    let display = match spec.display {
        DisplayKind::None => None,
        DisplayKind::BehindPrinter => Some(Display::behind(&printer, dialect)),
        DisplayKind::EscPos | DisplayKind::Cd5220 => Some(Display::spawn(dialect, attach("display", None)).await?),
    };
    let keypad = Keypad::spawn(attach("keypad", None)).await?;
    Ok(TillRig { name, device: number, printer, display, keypad })
}

fn printer_spec(spec: &BenchSpec) -> PrinterSpec {
    let drawer = DrawerSpec {
        open_level: match spec.sense {
            SenseKind::Low | SenseKind::None => Level::Low,
            SenseKind::High => Level::High,
        },
        sensor: spec.sense != SenseKind::None,
        bounce: spec.bounce,
        ..DrawerSpec::default()
    };
    let dots = match spec.columns {
        0..=35 => 384,
        36..=45 => 512,
        46..=u8::MAX => 576,
    };
    let drawers = match spec.connector {
        Connector::Pin2 => [Some(drawer), None],
        Connector::Pin5 => [None, Some(drawer)],
        Connector::Empty => [None, None],
    };
    PrinterSpec { columns: spec.columns, dots, drawers, quirks: spec.quirks.clone() }
}

/// `printer` for the first till, `printer-2` for the second.
fn file_name(device: &str, till: &str) -> String {
    if till == "front-1" { device.to_owned() } else { format!("{device}-2") }
}

/// Readable by the owner only: the daemon refuses anything else.
fn secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// A poisoned lock means that a test thread panicked; what it guarded here is a list that is still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The rig lives in real time and reads the clock here.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tokio::sync::broadcast::error::RecvError;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bench_has_devices_secrets_and_a_configuration_and_leaves_no_links_behind() {
        let dir = tempfile::tempdir().unwrap();
        let spec = BenchSpec { dir: Some(dir.path().to_path_buf()), second_till: true, ..BenchSpec::default() };
        let bench = Bench::start(spec).await.unwrap();
        for name in ["printer", "display", "keypad", "printer-2", "display-2", "keypad-2"] {
            let target = fs::read_link(bench.dir().join(name)).unwrap();
            assert!(target.starts_with("/dev/pts"), "{name} is {}", target.display());
        }
        let mode = fs::metadata(bench.dir().join("access-token")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let config = fs::read_to_string(bench.config()).unwrap();
        assert!(config.contains(&bench.api.url()), "{config}");
        assert_eq!(config.matches("[[till]]").count(), 2);
        drop(bench);
        assert!(fs::symlink_metadata(dir.path().join("printer")).is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_display_is_sent_becomes_a_history_of_frames() {
        let bench = Bench::start(BenchSpec::default()).await.unwrap();
        let till = &bench.tills[0];
        let mut port = fs::OpenOptions::new().write(true).open(bench.dir().join("display")).unwrap();
        port.write_all(b"\x1b@\x0cSTAFF NUMBER").unwrap();
        let deadline = now() + Duration::from_secs(5);
        while !till.shown(0).iter().any(|shown| shown.rows[0].trim() == "STAFF NUMBER") {
            assert!(now() < deadline, "{:?}", till.shown(0));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bench_that_is_gone_has_taken_its_devices_with_it() {
        let bench = Bench::start(BenchSpec::default()).await.unwrap();
        let till = &bench.tills[0];
        let mut frames = till.display.as_ref().unwrap().frames();
        let mut printer = till.printer.events();
        console::watch_printer(&till.printer, 0, tokio::sync::mpsc::channel(1).0);
        drop(bench);
        let ended = async {
            while !matches!(frames.recv().await, Err(RecvError::Closed)) {}
            while !matches!(printer.recv().await, Err(RecvError::Closed)) {}
        };
        tokio::time::timeout(Duration::from_secs(5), ended).await.expect("nothing holds the devices any more");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bench_that_ends_leaves_the_links_of_its_successor_alone() {
        let dir = tempfile::tempdir().unwrap();
        let spec = BenchSpec { dir: Some(dir.path().to_path_buf()), ..BenchSpec::default() };
        let first = Bench::start(spec.clone()).await.unwrap();
        let second = Bench::start(spec).await.unwrap();
        let link = || fs::read_link(dir.path().join("keypad")).ok();
        let taken_over = link();
        drop(first);
        assert!(taken_over.is_some() && link() == taken_over);
        drop(second);
        assert_eq!(link(), None);
    }

    #[test]
    fn a_factor_of_patience_is_a_whole_number() {
        assert_eq!(patience_of("4"), Ok(4));
        for wrong in ["", "0", "1.5", "-1", "many"] {
            assert!(patience_of(wrong).unwrap_err().contains(PATIENCE_VARIABLE), "{wrong}");
        }
    }
}
