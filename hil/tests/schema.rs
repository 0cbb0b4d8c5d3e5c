//! The stand-in's schema, and the documents the daemon sends, against the schema Shopify publishes for 2026-04.
//!
//! The published schema is not ours to ship. Where it is not at hand, this says what is now untested, and the daemon's
//! documents are still held against the stand-in's schema.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use drawerbridge_hil::admin::{API_VERSION, sdl};

/// Says where the published schema is, for machines that have it elsewhere.
const VARIABLE: &str = "DRAWERBRIDGE_SHOPIFY_SDL";

/// The folder of the whole project.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the rig is a folder of the project").to_owned()
}

/// The published schema; `None` after saying so if it is not there.
fn published() -> Option<(PathBuf, String)> {
    let name = format!("shared/reference/shopify/{API_VERSION}.graphql");
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    if let Some(path) = named {
        let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{VARIABLE} is {}: {why}", path.display()));
        return Some((path, text));
    }
    let near = [project().join("../..").join(&name), project().join("..").join(&name)];
    if let Some(found) = near.into_iter().find_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?))) {
        return Some(found);
    }
    say_loudly(&[
        &format!("SKIPPED: Shopify's published schema for {API_VERSION} is not at hand."),
        "Untested now: that the stand-in's types, fields, arguments, defaults and codes exist at",
        "Shopify, and that Shopify would accept the documents the daemon sends.",
        &format!("Set {VARIABLE} to the file to test it."),
    ]);
    None
}

/// Past the test harness, which swallows what a passing test prints.
fn say_loudly(lines: &[&str]) {
    let mut text = format!("\n!!! {}\n", "-".repeat(86));
    for line in lines {
        text.push_str(&format!("!!! {line}\n"));
    }
    text.push_str(&format!("!!! {}\n\n", "-".repeat(86)));
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// The documents in a folder with their names.
fn documents(folder: &Path) -> Vec<(String, String)> {
    let files = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut documents: Vec<_> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "graphql"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    documents.sort();
    documents
}

/// Every document the schema refuses, with the reasons.
fn refused(schema: &str, documents: &[(String, String)]) -> Vec<String> {
    let problems = documents.iter().filter_map(|(name, text)| Some((name, sdl::check_document(schema, text).err()?)));
    problems.map(|(name, why)| format!("{name}\n{why}")).collect()
}

#[test]
fn what_the_stand_in_has_exists_at_shopify() {
    let Some((path, theirs)) = published() else { return };
    let missing = sdl::missing_from(&theirs, &drawerbridge_hil::admin::sdl()).unwrap();
    assert!(missing.is_empty(), "against {}:\n{}", path.display(), missing.join("\n"));
}

#[test]
fn shopify_accepts_every_document_the_daemon_sends() {
    let Some((path, theirs)) = published() else { return };
    let refused = refused(&theirs, &documents(&project().join("src/shopify")));
    assert!(refused.is_empty(), "against {}:\n{}", path.display(), refused.join("\n"));
}

#[test]
fn the_stand_in_accepts_every_document_the_daemon_sends() {
    let documents = documents(&project().join("src/shopify"));
    assert!(!documents.is_empty(), "the daemon sends documents");
    let refused = refused(&drawerbridge_hil::admin::sdl(), &documents);
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn the_stand_in_accepts_what_shopify_accepts_of_the_reference_documents() {
    let Some((path, theirs)) = published() else { return };
    let Some(folder) = path.parent().map(|folder| folder.join("operations")).filter(|folder| folder.is_dir()) else {
        return say_loudly(&[&format!("SKIPPED: there are no reference documents beside {}", path.display())]);
    };
    // Some of them are for a later version, and Shopify refuses those too.
    let valid = documents(&folder).into_iter().filter(|(_, text)| sdl::check_document(&theirs, text).is_ok());
    let refused = refused(&drawerbridge_hil::admin::sdl(), &valid.collect::<Vec<_>>());
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// A checker that finds nothing must be shown to be able to find something.
#[test]
fn a_document_with_a_misspelt_field_is_refused() {
    let documents = vec![("wrong".to_owned(), "query { shop { nmae } }".to_owned())];
    assert_eq!(refused(&drawerbridge_hil::admin::sdl(), &documents).len(), 1);
}
