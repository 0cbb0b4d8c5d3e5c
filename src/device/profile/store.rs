//! Where profiles come from: the built-in ones, and a folder that overrides them. The only file of this room that reads
//! others; it does so once, at start.
//!
//! ## Why the list is written out
//! `include_str!` wants names at build time, and a build script would be one more thing to read. A test holds the list
//! against the folder `devices/`.
use std::{collections::BTreeSet, fs::File, io::Read, path::Path, sync::LazyLock};

use thiserror::Error;

use super::{Profile, read::parse};
use crate::config::{Problems, reader::suggest, report::utf8};

/// Folder and text of every built-in profile, by name.
const BUILTIN: [(&str, &str); 7] = [
    ("epson-dm-d110", include_str!("../../../devices/epson-dm-d110/profile.toml")),
    ("epson-tm-t88", include_str!("../../../devices/epson-tm-t88/profile.toml")),
    ("generic-58mm", include_str!("../../../devices/generic-58mm/profile.toml")),
    ("generic-80mm", include_str!("../../../devices/generic-80mm/profile.toml")),
    ("partner-cd5220", include_str!("../../../devices/partner-cd5220/profile.toml")),
    ("serial-keypad", include_str!("../../../devices/serial-keypad/profile.toml")),
    ("usb-number-pad", include_str!("../../../devices/usb-number-pad/profile.toml")),
];

/// Fifty times a profile with long comments.
const PROFILE_MAX: u64 = 64 * 1024;
/// More models than one shop has.
const FOLDER_MAX: usize = 1000;

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let read = |(name, text): &(&str, &str)| {
        parse(&format!("devices/{name}/profile.toml"), name, text).expect("a test reads every built-in profile")
    };
    BUILTIN.iter().map(read).collect()
});

/// Why there is no profile of a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FindError {
    /// No profile is called so.
    #[error("no profile is called {name:?}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest one, and all.
        remedy: String,
    },
    /// The profile's file is there and has mistakes.
    #[error(transparent)]
    Broken(Problems),
}

/// The built-in profiles, by name.
#[must_use]
pub fn builtin() -> &'static [Profile] {
    &PROFILES
}

/// The names that can be found: the built-in ones and those of the folder.
#[must_use]
pub fn names(folder: Option<&Path>) -> Vec<String> {
    let mut names: BTreeSet<String> = BUILTIN.iter().map(|(name, _)| (*name).to_owned()).collect();
    let entries = folder.and_then(|folder| folder.read_dir().ok()).into_iter().flatten().take(FOLDER_MAX);
    for entry in entries.flatten().filter(|entry| entry.path().join("profile.toml").is_file()) {
        names.extend(entry.file_name().to_str().filter(|name| is_name(name)).map(str::to_owned));
    }
    names.into_iter().collect()
}

/// The profile of a name: `FOLDER/NAME/profile.toml` if it is there, else the built-in one.
pub fn find(name: &str, folder: Option<&Path>) -> Result<Profile, FindError> {
    let file = folder.filter(|_| is_name(name)).map(|folder| folder.join(name).join("profile.toml"));
    if let Some(file) = file.filter(|file| file.exists()) {
        return read(&file, name).map_err(FindError::Broken);
    }
    match builtin().iter().find(|profile| profile.name == name) {
        Some(profile) => Ok(profile.clone()),
        None => {
            let names = names(folder);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Err(FindError::Unknown { name: name.to_owned(), remedy: suggest(name, &names) })
        }
    }
}

/// Names are names of folders here, and nothing that leads elsewhere.
fn is_name(name: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(fine)
}

fn read(path: &Path, name: &str) -> Result<Profile, Problems> {
    let file = path.display().to_string();
    let mut bytes = Vec::new();
    let read = if path.is_file() {
        File::open(path).and_then(|opened| opened.take(PROFILE_MAX + 1).read_to_end(&mut bytes))
    } else {
        Err(std::io::Error::other("it is not a file"))
    };
    if let Err(cause) = read {
        let remedy = "make it a file that the user of drawerbridge may read, or remove it".to_owned();
        return Err(Problems::of_file(&file, format!("the profile cannot be read: {cause}"), remedy));
    }
    if bytes.len() as u64 > PROFILE_MAX {
        let remedy = "a profile is a page of `key = value`; look at those in `devices/`".to_owned();
        return Err(Problems::of_file(&file, format!("the profile is longer than {PROFILE_MAX} bytes"), remedy));
    }
    parse(&file, name, utf8(&file, &bytes)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_built_in_profiles_are_those_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("devices");
        let mut found: Vec<String> =
            folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        found.sort();
        assert_eq!(found, BUILTIN.map(|(name, _)| name), "src/device/profile/store.rs lists what devices/ holds");
        assert_eq!(builtin().len(), BUILTIN.len());
        for name in found {
            let notes = fs::read_to_string(folder.join(&name).join("NOTES.md")).unwrap();
            for heading in ["## Sources", "## Quirks", "## Checked on"] {
                assert!(notes.contains(heading), "devices/{name}/NOTES.md has no {heading}");
            }
        }
    }

    #[test]
    fn a_folder_overrides_and_adds_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let (_, text) = BUILTIN[1];
        for (name, columns) in [("epson-tm-t88", "columns = 48"), ("our-own", "columns = 40")] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("profile.toml"), text.replace("columns = 42", columns)).unwrap();
        }
        let kind = |name: &str| format!("{:?}", find(name, Some(folder.path())).unwrap().kind);
        assert!(kind("epson-tm-t88").contains("columns: 48"));
        assert!(kind("our-own").contains("columns: 40"));
        assert!(kind("generic-58mm").contains("columns: 32"));
        assert!(names(Some(folder.path())).contains(&"our-own".to_owned()));
        assert!(find("our-own", None).is_err());
    }

    #[test]
    fn a_broken_profile_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ours")).unwrap();
        let file = folder.path().join("ours/profile.toml");
        fs::write(&file, "title = \"Ours\"\n[keypad]\nbuad = 9600\n").unwrap();
        let Err(FindError::Broken(problems)) = find("ours", Some(folder.path())) else { panic!("broken") };
        assert!(problems.to_string().contains(&format!("{}:3:1: unknown key \"buad\"", file.display())), "{problems}");
        fs::write(&file, vec![b'#'; 70_000]).unwrap();
        assert!(matches!(find("ours", Some(folder.path())), Err(FindError::Broken(_))));
        fs::write(&file, b"title = \"\xFF\"").unwrap();
        assert!(matches!(find("ours", Some(folder.path())), Err(FindError::Broken(_))));
    }

    #[test]
    fn a_name_does_not_lead_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["..", "../x", "", "a/b", ".hidden", "a\0b"] {
            assert!(matches!(find(name, Some(folder.path())), Err(FindError::Unknown { .. })), "{name:?}");
        }
    }

    #[test]
    fn the_nearest_profile_is_named() {
        let Err(FindError::Unknown { remedy, .. }) = find("epson-tmt88", None) else { panic!("unknown") };
        assert!(remedy.starts_with("did you mean \"epson-tm-t88\"?"), "{remedy}");
    }
}
