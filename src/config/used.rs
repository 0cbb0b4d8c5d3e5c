//! What a settings file uses, so that nothing is used twice: ports, files, names, ids.
use std::{collections::BTreeMap, net::IpAddr, ops::Range, path::Path};

use super::{disk::Disk, reader::At, report::Notes};

/// Everything used so far, with the place where it was first.
pub(crate) struct Used {
    first: BTreeMap<(&'static str, String), Range<usize>>,
    /// How closely files that are used are looked at.
    pub(crate) disk: Disk,
}

impl Used {
    pub(crate) fn new(disk: Disk) -> Self {
        Self { first: BTreeMap::new(), disk }
    }
    /// Notes a second use. `kind` keeps names apart from ids; `shown` is what the person wrote.
    pub(crate) fn once(&mut self, notes: &Notes<'_>, kind: &'static str, key: String, shown: &At<String>, remedy: &str) {
        match self.first.get(&(kind, key.clone())) {
            Some(first) if !notes.full() => {
                let line = notes.line(first);
                notes.add(&shown.at, format!("{kind} {:?} is used twice: first in line {line}", shown.value), remedy);
            }
            Some(_) => {}
            None => {
                self.first.insert((kind, key), shown.at.clone());
            }
        }
    }
    /// A device or file: two spellings of the same path are the same thing.
    pub(crate) fn path(&mut self, notes: &Notes<'_>, kind: &'static str, path: &At<impl AsRef<Path>>, remedy: &str) {
        let shown = At { value: path.value.as_ref().display().to_string(), at: path.at.clone() };
        self.once(notes, kind, same_path(path.value.as_ref()), &shown, remedy);
    }
    /// `host:port`: two spellings of the same address are the same thing.
    pub(crate) fn address(&mut self, notes: &Notes<'_>, address: &At<String>, remedy: &str) {
        self.once(notes, "the device at", same_address(&address.value), address, remedy);
    }
}

/// One name for all spellings: links followed if the path is there, else without `.` and doubled slashes.
fn same_path(path: &Path) -> String {
    // A device that is unplugged is not there; the link that names it in its folder then is not, either.
    let found = path.canonicalize().or_else(|_| {
        let folder = path.parent().unwrap_or(Path::new("")).canonicalize()?;
        Ok::<_, std::io::Error>(path.file_name().map_or(folder.clone(), |name| folder.join(name)))
    });
    found.unwrap_or_else(|_| path.components().collect()).display().to_string()
}

fn same_address(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    let host = if host == "localhost" { "127.0.0.1".to_owned() } else { host };
    let host = host.parse::<IpAddr>().map_or(host, |ip| ip.to_canonical().to_string());
    // `9100` and `09100` are one port.
    let port = port.parse::<u16>().map_or(port.to_owned(), |port| port.to_string());
    format!("{host} {port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_path_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let port = folder.path().join("ttyUSB0");
        std::fs::write(&port, "").unwrap();
        std::os::unix::fs::symlink(&port, folder.path().join("by-id")).unwrap();
        assert_eq!(same_path(&port), same_path(&folder.path().join("by-id")));
        assert_eq!(same_path(Path::new("/nowhere//a/./b")), same_path(Path::new("/nowhere/a/b")));
        assert_eq!(same_path(&folder.path().join("gone")), same_path(&folder.path().join("./gone")));
        assert_ne!(same_path(Path::new("/dev/ttyUSB98")), same_path(Path::new("/dev/ttyUSB99")));
    }

    #[test]
    fn two_spellings_of_one_address_are_one() {
        assert_eq!(same_address("Printer.LAN:9100"), same_address("printer.lan.:09100"));
        assert_eq!(same_address("localhost:9100"), same_address("127.0.0.1:9100"));
        assert_eq!(same_address("[0:0:0:0:0:0:0:1]:9100"), same_address("[::1]:9100"));
        assert_ne!(same_address("10.0.0.1:9100"), same_address("10.0.0.1:9101"));
    }
}
