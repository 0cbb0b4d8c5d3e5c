//! A whole till in one object: printer with drawer, display, keypad, Admin API, and a folder with a ready configuration.
//!
//! The folder holds the virtual serial pairs (`printer`, `display`, `keypad`; `printer-2` … for a second till), the secrets
//! (0600) and `config.toml` for `drawerbridge run`. It starts no daemon; `bench::daemon` does.
pub mod client;
pub mod config;
pub mod console;
pub mod daemon;
pub mod spec;
pub mod stage;

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

pub use spec::{BenchSpec, DisplayKind, SenseKind, Wire};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    admin::{AdminApi, AdminSpec},
    display::{Dialect, Display},
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

/// Every settled frame of a display, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Frames(Arc<Mutex<Vec<(Instant, Rows)>>>);

impl Frames {
    /// The frames from the `from`th on, with the moment each settled.
    #[must_use]
    pub fn from(&self, from: usize) -> Vec<(Instant, Rows)> {
        lock(&self.0).iter().skip(from).cloned().collect()
    }
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.0).len()
    }
    fn add(&self, at: Instant, rows: Rows) {
        let mut frames = lock(&self.0);
        if frames.last().is_none_or(|(_, last)| *last != rows) {
            frames.push((at, rows));
        }
    }
    fn follow(&self, display: &Display) {
        self.add(now(), display.frame());
        let (frames, display, mut settled) = (self.clone(), display.clone(), display.frames());
        tokio::spawn(async move {
            loop {
                match settled.recv().await {
                    Ok(rows) => frames.add(now(), rows),
                    Err(RecvError::Lagged(_)) => frames.add(now(), display.frame()),
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }
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
    /// What the display showed.
    pub frames: Frames,
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
        // The links of a folder that stays must not point at ptys that are gone.
        for till in &self.tills {
            for device in ["printer", "display", "keypad"] {
                let link = self.dir.join(file_name(device, &till.name));
                if fs::symlink_metadata(&link).is_ok_and(|m| m.is_symlink()) {
                    drop(fs::remove_file(&link));
                }
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
    let display = match spec.display {
        DisplayKind::None => None,
        DisplayKind::BehindPrinter => {
            let display = Display::detached(dialect);
            printer.attach_display(display.clone());
            Some(display)
        }
        DisplayKind::EscPos | DisplayKind::Cd5220 => Some(Display::spawn(dialect, attach("display", Some(9_600))).await?),
    };
    let keypad = Keypad::spawn(attach("keypad", Some(9_600))).await?;
    let frames = Frames::default();
    if let Some(display) = &display {
        frames.follow(display);
    }
    Ok(TillRig { name, device: number, printer, display, keypad, frames })
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
    PrinterSpec { columns: spec.columns, dots, drawers: [Some(drawer), None], ..PrinterSpec::default() }
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
    use std::{os::unix::fs::PermissionsExt as _, time::Duration};

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
        while !till.frames.from(0).iter().any(|(_, rows)| rows[0].trim() == "STAFF NUMBER") {
            assert!(now() < deadline, "{:?}", till.frames.from(0));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
