//! What a run of the daemon asked of the system, read from the output of Debian's `strace`, and a tracer that strikes at one
//! of these calls.
//!
//! ## What a point is
//! `strace` counts calls for each thread by itself (`when=` is "per syscall and per tracee"). So a point is a thread, a call,
//! what the call is about, and a number; the tracer is attached to that one thread, sees only calls about that path, and its
//! count begins when the drawer is about to open.
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::till::{LOOK, send};
use crate::bench::{now, patiently};

/// Debian's package and its program.
pub(super) const PROGRAM: &str = "/usr/bin/strace";
/// Calls that leave something behind outside of the process.
const EFFECTFUL: &str = "write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,ftruncate,fallocate,unlink,\
                         unlinkat,rename,renameat,renameat2,link,linkat,symlink,mkdir,mkdirat,chmod,fchmod,open,openat,\
                         connect,sendto,sendmsg,shutdown";
/// Attaching takes milliseconds.
const ATTACHED: Duration = Duration::from_secs(10);
/// So does letting go.
const LETS_GO: Duration = Duration::from_millis(300);

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// A device or a file in the till's folder, by its name there.
    Named(String),
    /// A file elsewhere.
    Elsewhere(String),
    /// The log: stderr.
    Log,
    /// A TCP connection. It has no name by which a tracer could find it.
    Socket,
}

/// One call of one run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    /// The thread's name; the process's own for the first one.
    pub(super) thread: String,
    pub(super) call: String,
    pub(super) target: Target,
    /// Counted from 1.
    pub(super) number: u32,
    /// For `pwrite64`: where it begins and how much it writes.
    pub(super) place: Option<(u64, u64)>,
    /// Every run has it that was looked at.
    pub(super) always: bool,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, call, target, number, .. } = self;
        match target {
            Target::Named(name) | Target::Elsewhere(name) => write!(f, "{thread}: {call} {number} on {name}"),
            Target::Log => write!(f, "{thread}: {call} {number} on stderr"),
            Target::Socket => write!(f, "{thread}: {call} {number} on a connection"),
        }
    }
}

/// For how long a call is struck at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    Once,
    /// And every call like it that follows.
    On,
}

/// A tracer at work.
pub(super) struct Tracer {
    child: Child,
    output: PathBuf,
}

impl Tracer {
    /// Follows all threads of a process and only writes down.
    pub(super) async fn follow(pid: i32, output: &Path) -> Result<Self, String> {
        Self::attach(["-f", "-yy", "-s", "8", "-e", &format!("trace={EFFECTFUL}"), "-p", &pid.to_string()], output).await
    }

    /// Strikes at one point. `what`: `signal=KILL`, `error=EIO`, `delay_exit=…` in the words of `strace`.
    pub(super) async fn strike(
        pid: i32,
        dir: &Path,
        point: &Point,
        (what, lasting): (&str, Lasting),
        output: &Path,
    ) -> Result<Self, String> {
        let tid = thread(pid, &point.thread).await?;
        let on = if lasting == Lasting::On { "+" } else { "" };
        let inject = format!("inject={}:{what}:when={}{on}", point.call, point.number);
        let trace = format!("trace={}", point.call);
        let mut args: Vec<OsString> = ["-e", &trace, "-e", &inject, "-p", &tid.to_string()].map(OsString::from).to_vec();
        let path = match &point.target {
            // A device's link is followed: what the daemon has open is the terminal behind it.
            Target::Named(name) => {
                let path = dir.join(name);
                Some(fs::canonicalize(&path).unwrap_or(path))
            }
            Target::Elsewhere(path) => Some(PathBuf::from(path)),
            Target::Log => Some(fs::read_link(format!("/proc/{pid}/fd/2")).map_err(|e| format!("stderr of {pid}: {e}"))?),
            Target::Socket => None,
        };
        if let Some(path) = path {
            args.extend([OsString::from("-P"), path.into_os_string()]);
        }
        Self::attach(args, output).await
    }

    async fn attach(args: impl IntoIterator<Item = impl Into<OsString>>, output: &Path) -> Result<Self, String> {
        // An old one would be taken for ours.
        drop(fs::remove_file(output));
        let mut child = Command::new(PROGRAM)
            .arg("-o")
            .arg(output)
            .args(args.into_iter().map(Into::into))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("{PROGRAM} cannot be started: {e}"))?;
        let stderr = child.stderr.take().ok_or("strace has no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let first = timeout(patiently(ATTACHED), lines.next_line()).await;
        let first = first.map_err(|_| "strace does not attach".to_owned())?.ok().flatten().unwrap_or_default();
        if !first.contains("attached") {
            return Err(format!("strace cannot attach: {first}"));
        }
        // What it says later must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, output: output.to_path_buf() })
    }

    /// What it has written so far.
    pub(super) fn text(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Whether it has changed a call, or made one late.
    pub(super) fn has_struck(&self) -> bool {
        has_struck(&self.output)
    }

    /// Until it has.
    pub(super) async fn struck(&self) {
        while !self.has_struck() {
            sleep(LOOK).await;
        }
    }

    /// Lets go of the process, which goes on.
    pub(super) async fn detach(mut self) -> Result<String, String> {
        if let Some(pid) = self.child.id() {
            // It may have ended with the process a moment ago.
            drop(send(pid.cast_signed(), Signal::TERM));
        }
        // While it holds a call back it does not hear.
        if timeout(LETS_GO, self.child.wait()).await.is_err() {
            self.child.kill().await.map_err(|e| format!("strace does not let go: {e}"))?;
        }
        Ok(self.text())
    }
}

/// Whether the tracer that writes there has changed a call, or made one late.
pub(super) fn has_struck(output: &Path) -> bool {
    let text = fs::read_to_string(output).unwrap_or_default();
    text.contains("(INJECTED)") || text.contains("(DELAYED)")
}

/// The words before a program that let a tracer follow all of it from its first call on. The process stays the program's own.
pub(super) fn from_the_start(output: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = [PROGRAM, "-D", "-f", "-qq", "-o"].map(OsString::from).to_vec();
    words.push(output.into());
    words.extend(["-yy", "-s", "8", "-e", &format!("trace={EFFECTFUL}")].map(OsString::from));
    words
}

/// The same, and such a call on these files fails, each time.
pub(super) fn failing_from_the_start(call: &str, errno: &str, files: &[PathBuf], output: &Path) -> Vec<OsString> {
    let mut words = from_the_start(output);
    // The last one counts.
    words
        .extend(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={errno}:when=1+")].map(OsString::from));
    words.extend(files.iter().flat_map(|file| [OsString::from("-P"), file.into()]));
    words
}

/// The number of a thread by its name. A thread names itself, a moment after it was made.
async fn thread(pid: i32, name: &str) -> Result<i32, String> {
    let limit = now() + patiently(ATTACHED);
    loop {
        if let Some((tid, _)) = threads(pid)?.into_iter().find(|(_, of)| of == name) {
            return Ok(tid);
        }
        if now() > limit {
            return Err(format!("the daemon has no thread `{name}`"));
        }
        sleep(LOOK).await;
    }
}

/// The threads of a process with their names. They must be asked for while it lives.
pub(super) fn threads(pid: i32) -> Result<BTreeMap<i32, String>, String> {
    let wrong = |e: std::io::Error| format!("the threads of {pid}: {e}");
    let mut threads = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).map_err(wrong)? {
        let task = task.map_err(wrong)?;
        let tid = task.file_name().to_string_lossy().parse().unwrap_or_default();
        let comm = fs::read_to_string(task.path().join("comm")).map_err(wrong)?;
        threads.insert(tid, comm.trim().to_owned());
    }
    Ok(threads)
}

/// Every effectful call of a followed run, in its order. `devices`: the terminals behind the names of the till's folder.
pub(super) fn points(
    text: &str,
    threads: &BTreeMap<i32, String>,
    dir: &Path,
    devices: &BTreeMap<PathBuf, String>,
) -> Result<Vec<Point>, String> {
    let mut counts: BTreeMap<(String, String, Target), u32> = BTreeMap::new();
    let mut points = Vec::new();
    for line in text.lines() {
        let Some((tid, call, args)) = call(line) else { continue };
        let Some(target) = target(args, dir, devices) else { continue };
        if call.starts_with("open") && !["O_CREAT", "O_WRONLY", "O_RDWR"].iter().any(|flag| args.contains(flag)) {
            continue;
        }
        let thread =
            threads.get(&tid).ok_or_else(|| format!("a thread that began later leaves something behind: {line}"))?;
        let number = counts.entry((thread.clone(), call.to_owned(), target.clone())).or_default();
        *number += 1;
        let place = (call == "pwrite64").then(|| place(args)).flatten();
        points.push(Point { thread: thread.clone(), call: call.to_owned(), target, number: *number, place, always: true });
    }
    Ok(points)
}

/// Which calls a followed run made on which of these files of the folder.
pub(super) fn kinds(text: &str, dir: &Path, files: &[&str]) -> BTreeSet<(String, String)> {
    let mut kinds = BTreeSet::new();
    for (_, call, args) in text.lines().filter_map(call) {
        if let Some(Target::Named(name)) = target(args, dir, &BTreeMap::new())
            && files.contains(&name.as_str())
        {
            kinds.insert((call.to_owned(), name));
        }
    }
    kinds
}

/// `123  write(4</x>, "…", 8) = 8` → 123, `write`, the rest.
fn call(line: &str) -> Option<(i32, &str, &str)> {
    let (tid, rest) = line.split_once(' ')?;
    let (name, args) = rest.trim_start().split_once('(')?;
    let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    named.then(|| Some((tid.parse().ok()?, name, args)))?
}

/// What the first path in the arguments names; `None` for what stays inside the process.
fn target(args: &str, dir: &Path, devices: &BTreeMap<PathBuf, String>) -> Option<Target> {
    let path = match args.split_once("<") {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => rest.split(['<', '>']).next()?,
        _ => args.split_once('"')?.1.split_once('"')?.0,
    };
    // Wake-ups between threads, and from the signal handler to the loop.
    if path.starts_with("anon_inode:") || path.starts_with("UNIX") {
        return None;
    }
    if path.starts_with("pipe:") {
        return Some(Target::Log);
    }
    if path.starts_with("socket:") || path.starts_with("TCP") {
        return Some(Target::Socket);
    }
    let path = Path::new(path);
    if let Some(name) = devices.get(path) {
        return Some(Target::Named(name.clone()));
    }
    Some(match path.strip_prefix(dir) {
        Ok(name) => Target::Named(name.display().to_string()),
        Err(_) => Target::Elsewhere(path.display().to_string()),
    })
}

/// The end of `pwrite64(12</x>, "…"..., 4096, 28896) = 4096`, or of the half of it before another thread's line.
fn place(args: &str) -> Option<(u64, u64)> {
    let args = args.split(" <unfinished").next()?.rsplit_once(") = ").map_or(args, |(args, _)| args);
    let args = args.split(" <unfinished").next()?;
    let mut numbers = args.rsplit(", ");
    let (offset, length) = (numbers.next()?.trim(), numbers.next()?.trim());
    Some((offset.parse().ok()?, length.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"10  write(4<anon_inode:[eventfd]>, "\1\0\0\0"..., 8) = 8
10  write(15</dev/pts/0<char 136:0>>, "\20\4\1", 3) = 3
11  pwrite64(12</r/journal.db-wal>, "\0\0\0\2"..., 24, 28872 <unfinished ...>
10  writev(18<TCP:[127.0.0.1:1->127.0.0.1:2]>, [{iov_base="H"..., iov_len=142}], 1) = 142
11  <... pwrite64 resumed>) = 24
11  pwrite64(12</r/journal.db-wal>, "\r\0\0\0"..., 4096, 28896) = 4096
11  fsync(12</r/journal.db-wal>) = 0
10  write(15</dev/pts/0>, "x", 1) = 1
10  openat(AT_FDCWD</r>, "/r/access-token", O_RDONLY|O_CLOEXEC) = 19</r/access-token>
10  sendto(5<UNIX-STREAM:[7->8]>, "\1", 1, MSG_NOSIGNAL, NULL, 0) = 1
10  unlink("/r/journal.db.addr") = 0
10  write(2<pipe:[5]>, "2026"..., 153) = 153
"#;

    fn read(threads: &[(i32, &str)]) -> Result<Vec<Point>, String> {
        let threads = threads.iter().map(|(tid, name)| (*tid, (*name).to_owned())).collect();
        let devices = [(PathBuf::from("/dev/pts/0"), "printer".to_owned())].into();
        points(TRACE, &threads, Path::new("/r"), &devices)
    }

    #[test]
    fn calls_are_counted_for_each_thread_call_and_target() {
        let points = read(&[(10, "drawerbridge"), (11, "journal")]).unwrap();
        let said: Vec<String> = points.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "drawerbridge: write 1 on printer",
                "journal: pwrite64 1 on journal.db-wal",
                "drawerbridge: writev 1 on a connection",
                "journal: pwrite64 2 on journal.db-wal",
                "journal: fsync 1 on journal.db-wal",
                "drawerbridge: write 2 on printer",
                "drawerbridge: unlink 1 on journal.db.addr",
                "drawerbridge: write 1 on stderr",
            ]
        );
        assert_eq!((points[1].place, points[3].place), (Some((28_872, 24)), Some((28_896, 4_096))));
    }

    #[test]
    fn the_kinds_of_calls_on_the_journal_are_told() {
        let kinds = kinds(TRACE, Path::new("/r"), &["journal.db", "journal.db-wal"]);
        let of_log = |call: &str| (call.to_owned(), "journal.db-wal".to_owned());
        assert_eq!(kinds, [of_log("fsync"), of_log("pwrite64")].into());
    }

    #[test]
    fn a_thread_that_nobody_can_strike_is_said() {
        assert!(read(&[(10, "drawerbridge")]).unwrap_err().contains("began later"));
    }
}
