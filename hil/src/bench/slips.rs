//! What came out of a printer, as files in a folder: `slip-1.txt` with the lines as printed, `slip-1.png` with the paper.
use std::{fs, io, path::Path};

use super::TillRig;
use crate::printer::{Printer, Slip};

/// The beginning of a till's file names: nothing for the first till, `front-2-` for the second.
fn prefix(till: &str) -> String {
    if till == "front-1" { String::new() } else { format!("{till}-") }
}

/// Writes one cut slip, counted from 0, and says where its picture is.
pub fn save(dir: &Path, till: &str, printer: &Printer, index: usize) -> io::Result<Option<String>> {
    let slips = printer.slips();
    let Some(slip) = slips.get(index) else { return Ok(None) };
    write(dir, till, index, slip).map(Some)
}

/// Writes every slip of a till, and what hangs out uncut.
pub fn save_all(dir: &Path, till: &TillRig) -> io::Result<()> {
    for (index, slip) in till.printer.slips().iter().enumerate() {
        write(dir, &till.name, index, slip)?;
    }
    let hangs_out = till.printer.uncut_text();
    if hangs_out.trim().is_empty() { Ok(()) } else { fs::write(dir.join(prefix(&till.name) + "slip-uncut.txt"), hangs_out) }
}

fn write(dir: &Path, till: &str, index: usize, slip: &Slip) -> io::Result<String> {
    let name = format!("{}slip-{}", prefix(till), index + 1);
    fs::write(dir.join(format!("{name}.txt")), &slip.text)?;
    let picture = dir.join(format!("{name}.png"));
    fs::write(&picture, &slip.png)?;
    Ok(picture.display().to_string())
}
