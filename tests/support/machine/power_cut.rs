//! Simulates a power cut: removes, from the files of a killed process, sectors that were not
//! synced.
//!
//! The library of [`FailingDisk`](super::failing_disk::FailingDisk) keeps the earlier contents of
//! all writes and truncations since a file's last sync. The creation and renaming of files is not
//! undone here. The simulated disk of the storage crate tests these operations.

use quorate_checker::random::Random;
use std::fs::{self, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Size of a sector in bytes, which devices write atomically.
const SECTOR: usize = 512;
/// Size of the header of a record in bytes: three numbers of 8 bytes.
const HEADER: usize = 24;

/// The part of the unsynced data that a power cut removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// All unsynced data.
    All,
    /// A random part of the unsynced data.
    Some,
    /// The end of the last write.
    LastTorn,
}

/// A record of one write or truncation: the contents that it replaced.
#[derive(Debug)]
struct Taken {
    at: usize,
    /// The length of the file before the write or truncation.
    len: usize,
    /// The replaced contents, with zeros after the end of the file.
    bytes: Vec<u8>,
}

/// Applies a power cut to the files of a directory. Returns the number of lost sectors.
pub fn apply(undo: &Path, dir: &Path, cut: Cut, random: &mut Random) -> usize {
    let mut sectors = 0;
    for entry in fs::read_dir(undo).expect("the undo directory is there") {
        let kept = entry.expect("a directory entry").path();
        let file = dir.join(kept.file_name().expect("a file has a name"));
        let records = records_of(&fs::read(&kept).expect("it can be read"));
        // A file may have been removed since it was written.
        if file.exists() && !records.is_empty() {
            sectors += take(&file, &records, cut, random);
        }
    }
    sectors
}

/// Parses records. Ignores a last record that the kill truncated, because its write did not happen.
fn records_of(bytes: &[u8]) -> Vec<Taken> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some((header, after)) = rest.split_at_checked(HEADER) {
        let [at, len, count] =
            [0, 8, 16].map(|i| u64::from_ne_bytes(header[i..i + 8].try_into().expect("8 bytes")));
        let Some((bytes, after)) = after.split_at_checked(count as usize) else {
            break;
        };
        records.push(Taken {
            at: at as usize,
            len: len as usize,
            bytes: bytes.to_vec(),
        });
        rest = after;
    }
    records
}

/// Removes sectors from a file, by writing their earlier contents. Returns the number of removed
/// sectors.
fn take(path: &Path, records: &[Taken], cut: Cut, random: &mut Random) -> usize {
    let now = fs::read(path).expect("a killed node's file can be read");
    let records = match cut {
        Cut::LastTorn => &records[records.len() - 1..],
        Cut::All | Cut::Some => records,
    };
    let before = undone(now.clone(), records);
    let touched: Vec<Range<usize>> = sectors_of(&now, &before);
    let first_lost = random.below(touched.len().max(1) as u64) as usize;
    let lost: Vec<&Range<usize>> = touched
        .iter()
        .enumerate()
        .filter(|(i, _)| match cut {
            Cut::All => true,
            Cut::Some => random.below(2) == 0,
            Cut::LastTorn => *i >= first_lost,
        })
        .map(|(_, sector)| sector)
        .collect();
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .expect("a killed node's file can be written");
    for sector in &lost {
        let there = sector.start.min(before.len())..sector.end.min(before.len());
        file.write_all_at(&before[there], sector.start as u64)
            .expect("a killed node's file can be written");
    }
    if cut == Cut::All || (cut == Cut::Some && random.below(2) == 0) {
        file.set_len(before.len() as u64)
            .expect("a killed node's file can be cut");
    }
    lost.len()
}

/// Returns the contents of a file before the writes and truncations of these records.
fn undone(mut file: Vec<u8>, records: &[Taken]) -> Vec<u8> {
    for record in records.iter().rev() {
        let end = record.at + record.bytes.len();
        file.resize(file.len().max(end), 0);
        file[record.at..end].copy_from_slice(&record.bytes);
        file.resize(record.len, 0);
    }
    file
}

/// Returns the sectors in which two versions of a file differ.
fn sectors_of(now: &[u8], before: &[u8]) -> Vec<Range<usize>> {
    let end = now.len().max(before.len());
    let sector = |bytes: &[u8], range: &Range<usize>| {
        let mut held = vec![0; range.len()];
        let there = range.start.min(bytes.len())..range.end.min(bytes.len());
        held[..there.len()].copy_from_slice(&bytes[there]);
        held
    };
    (0..end)
        .step_by(SECTOR)
        .map(|start| start..(start + SECTOR).min(end))
        .filter(|range| sector(now, range) != sector(before, range))
        .collect()
}
