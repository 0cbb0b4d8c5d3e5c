//! The file as a whole: `[shop]`, `[journal]`, `[api]`, `[[staff]]`, `[timing]`, `[devices]`. Tills are read in `tills`.
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ApiSettings, Problem, Problems, Settings, Shop, Staff, Timing, TokenSource,
    disk::Disk,
    reader::{At, Section, parse},
    report::{Notes, utf8},
    tills,
    used::Used,
    values,
};
use crate::opening::{OnForeign, SharedDrawer};

/// A thousand tills fit; a journal or a photograph given by mistake is refused before it fills the memory.
const FILE_MAX: u64 = 1024 * 1024;

/// Below this, "not there" cannot be believed at a real shop: the request itself may run for 20 s, and a session that it
/// opened is seen by readers later still.
const QUIET_PERIOD_SHOP_MIN: Duration = Duration::from_secs(60);

/// Reads and checks a settings file, its text alone: no secret is read, so that everyone who may read the settings may use
/// them. Relative paths in it start from its folder.
pub fn load(path: &Path) -> Result<Settings, Problems> {
    read(path, Disk::NotAsked).map(|(settings, _)| settings)
}

/// As [`load`], and what the daemon needs of the disk is there: secrets that only its user can read, a folder for the
/// journal. All mistakes come at once.
pub fn load_for_run(path: &Path) -> Result<Settings, Problems> {
    read(path, Disk::ForRun).map(|(settings, _)| settings)
}

/// As [`load_for_run`], for whoever is not the service: credentials that systemd hands to the running service alone are
/// remarked on when they cannot be seen, and are no mistake.
pub fn load_for_check(path: &Path) -> Result<(Settings, Vec<Problem>), Problems> {
    read(path, Disk::ForCheck)
}

fn read(path: &Path, disk: Disk) -> Result<(Settings, Vec<Problem>), Problems> {
    let name = path.display().to_string();
    let refuse = |what: String, remedy: &str| Err(Problems::of_file(&name, what, remedy.to_owned()));
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > FILE_MAX => {
            return refuse(
                format!("the file is longer than {FILE_MAX} bytes, which no settings file is"),
                "name the settings file: `--config drawerbridge.toml`",
            );
        }
        Ok(_) => {}
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            return refuse(
                "there is no such file".to_owned(),
                "make one with `drawerbridge config example > drawerbridge.toml`, then fill in the shop and the devices",
            );
        }
        Err(_) if path.is_dir() => {
            return refuse(
                "this is a folder".to_owned(),
                "name the settings file in it: `--config FOLDER/drawerbridge.toml`",
            );
        }
        Err(cause) => {
            return refuse(
                format!("the file cannot be read: {cause}"),
                "give it to the user that drawerbridge runs as (`chown`), or name another file",
            );
        }
    }
    let base = path.parent().unwrap_or(Path::new(""));
    read_text(&name, utf8(&name, &bytes)?, base, disk)
}

/// Checks a settings text, as [`load`] does. `name` is what mistakes are reported under; relative paths start from `base`.
pub fn load_text(name: &str, text: &str, base: &Path) -> Result<Settings, Problems> {
    read_text(name, text, base, Disk::NotAsked).map(|(settings, _)| settings)
}

fn read_text(name: &str, text: &str, base: &Path, disk: Disk) -> Result<(Settings, Vec<Problem>), Problems> {
    let notes = Notes::new(name, text, base);
    let settings = parse(text, &notes).and_then(|root| settings(Section::root(&root, &notes), disk));
    notes.finish_with_remarks(settings)
}

fn settings(mut root: Section<'_>, disk: Disk) -> Option<Settings> {
    let mut used = Used::new(disk);
    let shop = needed(&mut root, "shop", "[shop]", |section| shop(section, &mut used));
    // Nothing is known of a shop with mistakes; they come first.
    let rig = shop.as_ref().is_none_or(|shop| shop.endpoint != format!("https://{}", shop.domain));
    let journal = needed(&mut root, "journal", "[journal]", |section| journal(section, &mut used));
    let api = root.section("api", "[api]");
    let api = api_settings(api, root.notes, journal.as_ref(), &mut used);
    let remedy = "add [[staff]] with name, number and id";
    let staff = several(&mut root, "staff", "[[staff]]", "nobody may count", remedy);
    let staff: Vec<Staff> = staff.into_iter().filter_map(|section| one_of_staff(section, &mut used)).collect();
    let folder = root.section("devices", "[devices]").and_then(devices);
    let remedy = "add [[till]] with name and point_of_sale_device_id, and its devices below it";
    let sections = several(&mut root, "till", "[[till]]", "there is no till", remedy);
    let currency = shop.as_ref().map(|shop| shop.currency);
    let mut shared = tills::Shared { used, folder, currency, rig };
    let tills = sections.into_iter().filter_map(|section| tills::till(section, &mut shared)).collect();
    let timing = root.section("timing", "[timing]").map_or_else(Timing::default, |section| timing(section, rig));
    root.finish();
    Some(Settings { shop: shop?, journal: journal?.value, api: api?, staff, tills, timing })
}

fn needed<'a, T>(
    root: &mut Section<'a>,
    key: &'static str,
    name: &str,
    read: impl FnOnce(Section<'a>) -> Option<T>,
) -> Option<T> {
    if !root.has(key) {
        root.known(key);
        let remedy = format!("add {name}; `drawerbridge config example` shows what belongs into it");
        root.notes.add(&root.at, format!("{name} is missing"), remedy);
        return None;
    }
    root.section(key, name).and_then(read)
}

/// At least one table of a name.
fn several<'a>(root: &mut Section<'a>, key: &'static str, name: &str, without: &str, remedy: &str) -> Vec<Section<'a>> {
    let before = root.notes.count();
    let sections = root.sections(key, name, true);
    if sections.is_empty() && root.notes.count() == before {
        root.notes.add(&root.place(key), format!("{without}: {name} is missing"), remedy);
    }
    sections
}

fn shop(mut section: Section<'_>, used: &mut Used) -> Option<Shop> {
    let rig = section.has("endpoint");
    let domain = values::domain(&mut section, rig);
    let name = values::label(&mut section, "name", "Corner Shop", false);
    let api_version = values::api_version(&mut section);
    let endpoint =
        if rig { values::endpoint(&mut section) } else { domain.as_ref().map(|domain| format!("https://{domain}")) };
    section.known("endpoint");
    let currency = values::currency(&mut section);
    let time_zone = values::time_zone(&mut section);
    let token = token(&mut section, used);
    let shared = [("warn", SharedDrawer::Warn), ("deny", SharedDrawer::Deny), ("allow", SharedDrawer::Allow)];
    let shared_drawer = section.choice("shared_drawer", &shared).map(|found| found.value);
    let foreign = [("ask", OnForeign::Ask), ("record_count", OnForeign::RecordCount)];
    let on_foreign_session = section.choice("on_foreign_session", &foreign).map(|found| found.value);
    let business_day_starts = values::time_of_day(&mut section, "business_day_starts", "04:00");
    section.finish();
    let domain = domain?;
    Some(Shop {
        name: name.unwrap_or_else(|| domain.clone()),
        domain,
        api_version: api_version?,
        endpoint: endpoint?,
        currency: currency?,
        time_zone: time_zone?,
        token: token?,
        // A value that was there and wrong has been noted.
        shared_drawer: shared_drawer.unwrap_or(SharedDrawer::Warn),
        on_foreign_session: on_foreign_session.unwrap_or(OnForeign::Ask),
        business_day_starts: business_day_starts.unwrap_or(jiff::civil::time(4, 0, 0, 0)),
    })
}

fn token(section: &mut Section<'_>, used: &mut Used) -> Option<TokenSource> {
    const SAMPLE: &str = "/etc/drawerbridge/access-token";
    let by_file = section.has("access_token_file").then(|| secret_file(section, "access_token_file", SAMPLE, used));
    let by_app = section.section("client_credentials", "[shop.client_credentials]").map(|app| client(app, used));
    section.known("access_token_file");
    match (by_file, by_app) {
        (Some(file), None) => file.map(TokenSource::File),
        (None, Some(app)) => app,
        (Some(_), Some(_)) => {
            let at = section.place("access_token_file");
            let what = "[shop] has both `access_token_file` and [shop.client_credentials]";
            section.notes.add(&at, what, "keep one of them: a token of a custom app, or the id and secret of an app");
            None
        }
        (None, None) => {
            section.missing("access_token_file", &format!("access_token_file = {SAMPLE:?}, or [shop.client_credentials]"));
            None
        }
    }
}

fn client(mut section: Section<'_>, used: &mut Used) -> Option<TokenSource> {
    const SAMPLE: &str = "/etc/drawerbridge/client-secret";
    let client_id = section.required("client_id", "0123456789abcdef0123456789abcdef");
    let client_id = client_id.filter(|id| {
        let fine = id.value.len() <= 128 && id.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !fine {
            section.notes.add(&id.at, "`client_id` is not an app's id", "copy the client id from the app's settings page");
        }
        fine
    });
    let file = if section.has("client_secret_file") {
        secret_file(&mut section, "client_secret_file", SAMPLE, used)
    } else {
        section.required("client_secret_file", SAMPLE).map(|_| PathBuf::new())
    };
    section.finish();
    Some(TokenSource::ClientCredentials { client_id: client_id?.value, secret_file: file? })
}

fn secret_file(section: &mut Section<'_>, key: &'static str, sample: &str, used: &mut Used) -> Option<PathBuf> {
    let path = values::path(section, key, sample)?;
    used.path(section.notes, "the file", &path, OWN_FILE);
    used.disk.secret(section.notes, &path);
    Some(path.value)
}

fn journal(mut section: Section<'_>, used: &mut Used) -> Option<At<PathBuf>> {
    let sample = "/var/lib/drawerbridge/journal.db";
    let path = values::needed_path(&mut section, "path", sample);
    if let Some(path) = &path {
        used.path(section.notes, "the file", path, OWN_FILE);
        for beside in beside_journal(&path.value) {
            used.path(section.notes, "the file", &At { value: beside, at: path.at.clone() }, OWN_FILE);
        }
        used.disk.journal(section.notes, path);
    }
    section.finish();
    path
}

const OWN_FILE: &str = "give every secret, and the journal, a file of its own";

/// What the daemon and SQLite write beside the journal. A secret of one of these names would be written over.
fn beside_journal(journal: &Path) -> Vec<PathBuf> {
    let with = |end: &str| {
        let mut name = journal.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    vec![with(".lock"), with(".addr"), with("-wal"), with("-shm"), with("-journal")]
}

fn api_settings(
    section: Option<Section<'_>>,
    notes: &Notes<'_>,
    journal: Option<&At<PathBuf>>,
    used: &mut Used,
) -> Option<ApiSettings> {
    let default_listen = || std::net::SocketAddr::from(([127, 0, 0, 1], 8765));
    let default_token = |used: &mut Used| {
        let path = journal.cloned()?.map(|journal| journal.with_file_name("api-token"));
        used.path(notes, "the file", &path, OWN_FILE);
        used.disk.api_token(notes, &path);
        Some(path.value)
    };
    let Some(mut section) = section else {
        let token_file = default_token(used)?;
        return Some(ApiSettings { listen: default_listen(), token_file, allowed_origins: Vec::new() });
    };
    let listen = if section.has("listen") { values::listen(&mut section) } else { Some(default_listen()) };
    section.known("listen");
    let token_file = if section.has("token_file") {
        let path = values::path(&mut section, "token_file", "/var/lib/drawerbridge/api-token");
        if let Some(path) = &path {
            used.path(section.notes, "the file", path, OWN_FILE);
            used.disk.api_token(section.notes, path);
        }
        path.map(|path| path.value)
    } else {
        default_token(used)
    };
    section.known("token_file");
    let allowed_origins = values::origins(&mut section);
    section.finish();
    Some(ApiSettings { listen: listen?, token_file: token_file?, allowed_origins })
}

fn one_of_staff(mut section: Section<'_>, used: &mut Used) -> Option<Staff> {
    let name = values::label(&mut section, "name", "Robin", true);
    let number = values::staff_number(&mut section);
    let id = values::gid(&mut section, "id", "StaffMember", true);
    if let Some(number) = &number {
        let remedy = "give everyone a number of their own: it says who counted";
        used.once(section.notes, "the staff number", number.value.clone(), number, remedy);
    }
    if let Some(id) = &id {
        let remedy = "a person is listed once; copy the other person's id from Shopify";
        used.once(section.notes, "the staff member", id.value.clone(), id, remedy);
    }
    section.finish();
    Some(Staff { name: name?, number: number?.value, id: id?.value })
}

/// `[devices] profiles = "/etc/drawerbridge/devices"`.
fn devices(mut section: Section<'_>) -> Option<PathBuf> {
    let folder = values::path(&mut section, "profiles", "/etc/drawerbridge/devices");
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.value.is_dir()) {
        let what = format!("there is no folder {}", folder.value.display());
        section.notes.add(&folder.at, what, "make it, or remove the line: the usual profiles are built in");
    }
    section.finish();
    folder.map(|folder| folder.value)
}

fn timing(mut section: Section<'_>, rig: bool) -> Timing {
    const MS: Duration = Duration::from_millis(1);
    let default = Timing::default();
    // Ceilings: what is longer than this is a slip of the pen, and would look like a program that hangs.
    let (second, minute, hour) = (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(3600));
    // A request cut off before a shop's network can answer leaves every outcome unknown.
    let request_min = if rig { MS } else { second };
    // A worn key bounces for some tens of milliseconds; nobody reads a question in a tenth of a second. A rig's fingers do.
    let pause_min = if rig { Duration::ZERO } else { 100 * MS };
    let mut wait = |key, low, high, default: Duration| section.duration(key, low, high).map_or(default, |found| found.value);
    let timing = Timing {
        quiet_period: wait("quiet_period", MS, hour, default.quiet_period),
        read_every: wait("read_every", MS, 5 * minute, default.read_every),
        retry_first: wait("retry_first", MS, 5 * minute, default.retry_first),
        retry_max: wait("retry_max", MS, hour, default.retry_max),
        request_timeout: wait("request_timeout", request_min, 2 * minute, default.request_timeout),
        reopen_first: wait("reopen_first", 10 * MS, minute, default.reopen_first),
        reopen_max: wait("reopen_max", 10 * MS, 10 * minute, default.reopen_max),
        print_proof: wait("print_proof", 10 * MS, 10 * minute, default.print_proof),
        kick_answer: wait("kick_answer", 10 * MS, 10 * second, default.kick_answer),
        echo_first: wait("echo_first", MS, hour, default.echo_first),
        echo_second: wait("echo_second", MS, 24 * hour, default.echo_second),
        poll: wait("poll", 100 * MS, 10 * minute, default.poll),
        confirm_pause: wait("confirm_pause", pause_min, 2 * second, default.confirm_pause),
    };
    for (first, max, first_key, max_key) in [
        (timing.retry_first, timing.retry_max, "retry_first", "retry_max"),
        (timing.reopen_first, timing.reopen_max, "reopen_first", "reopen_max"),
    ] {
        if first > max {
            let at = section.place(if section.has(first_key) { first_key } else { max_key });
            let remedy = format!("write a {max_key} that is at least as long as {first_key}");
            section.notes.add(&at, format!("`{first_key}` is longer than `{max_key}`"), remedy);
        }
    }
    if !rig && timing.quiet_period < QUIET_PERIOD_SHOP_MIN {
        let what = "`quiet_period` is too short for a real shop: a session that was opened might not be seen yet";
        let remedy = "remove the line (the default is 2m), or write at least \"60s\"; rigs with an `endpoint` may be faster";
        section.notes.add(&section.place("quiet_period"), what, remedy);
    }
    section.finish();
    timing
}
