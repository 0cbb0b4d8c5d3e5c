//! A model of the journal: rows in order, one write at a time, each of which takes a while, may fail, and may or may not be on
//! disk when the power goes before it was acknowledged. Restated from `src/journal.rs`: numbering, the place of the one
//! unresolved attempt of a device, and `history_of` of `src/daemon.rs`.
use std::{collections::VecDeque, rc::Rc};

use drawerbridge::{
    journal::Row,
    shift::event::{Decision, Event, OpeningId},
};

use super::till::AppendFor;

/// As in `src/daemon.rs`.
const HISTORY: usize = 8;

/// Something that waits to be written.
#[derive(Debug, Clone)]
pub struct Job {
    pub row: Row,
    pub why: AppendFor,
}

/// The journal of one till's PC.
#[derive(Debug, Default)]
pub struct Journal {
    /// On disk.
    pub rows: Vec<Rc<Row>>,
    pub queue: VecDeque<Job>,
    next: i64,
    /// Device and opening.
    holders: Vec<(String, OpeningId)>,
}

impl Journal {
    /// The number of the next row.
    pub const fn number(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    /// Writes the oldest job, unless something speaks against it.
    pub fn write(&mut self, row: &Row, full: bool) -> Result<Rc<Row>, String> {
        if full {
            return Err("the disk is full".to_owned());
        }
        self.hold_place(row)?;
        let row = Rc::new(row.clone());
        self.rows.push(Rc::clone(&row));
        Ok(row)
    }

    fn hold_place(&mut self, row: &Row) -> Result<(), String> {
        let Some(opening) = &row.opening else { return Ok(()) };
        if row.event.settles() {
            self.holders.retain(|(_, holder)| holder != opening);
        }
        let again = matches!(row.event, Event::OpeningResolved { decision: Decision::RecordCount, .. });
        let device = if let Event::OpeningCounted(counted) = &row.event {
            counted.point_of_sale_device_id.clone()
        } else if again && let Some(device) = self.device_of(opening) {
            device
        } else {
            return Ok(());
        };
        match self.holders.iter().find(|(held, _)| *held == device) {
            Some((_, holder)) if holder != opening => Err(format!("opening {holder} of {device} is not settled")),
            Some(_) => Ok(()),
            None => {
                self.holders.push((device, opening.clone()));
                Ok(())
            }
        }
    }

    fn device_of(&self, opening: &OpeningId) -> Option<String> {
        self.of(opening).find_map(|row| {
            if let Event::OpeningCounted(counted) = &row.event {
                Some(counted.point_of_sale_device_id.clone())
            } else {
                None
            }
        })
    }

    /// All rows of one opening, oldest first.
    pub fn of<'a>(&'a self, opening: &'a OpeningId) -> impl Iterator<Item = &'a Rc<Row>> {
        self.rows.iter().filter(move |row| row.opening.as_ref() == Some(opening))
    }

    /// Who holds a place.
    pub fn unresolved(&self) -> impl Iterator<Item = &OpeningId> {
        self.holders.iter().map(|(_, opening)| opening)
    }

    /// The unresolved opening, then the newest ones.
    pub fn history(&self) -> Vec<(OpeningId, Vec<Rc<Row>>)> {
        let mut ids: Vec<&OpeningId> = self.unresolved().collect();
        let mut newest: Vec<&OpeningId> = Vec::new();
        let mut seen: Vec<&OpeningId> = Vec::new();
        for id in self.rows.iter().filter_map(|row| row.opening.as_ref()) {
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
        let counted = |id: &&&OpeningId| self.of(id).any(|row| matches!(row.event, Event::OpeningCounted(_)));
        newest.extend(seen.last());
        newest.extend(seen.iter().rev().filter(counted).take(HISTORY));
        for id in newest {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids.into_iter().map(|id| (id.clone(), self.of(id).cloned().collect())).collect()
    }
}
